//! Where curves lie: as many as there is room for, as large as that allows.

use ratatui::layout::Rect;

/// Columns a curve needs to be read.
const WIDTH: u16 = 38;
/// Rows it needs, its title among them.
const HEIGHT: u16 = 5;
/// A curve reads well if it is so many times as wide as it is high, in characters.
const SHAPE: u16 = 5;

/// Rows and columns of curves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) columns: u16,
    pub(super) rows: u16,
}

impl Grid {
    /// The grid for `count` curves, or for as many of them as fit.
    pub(super) fn fitting(area: Rect, count: usize) -> Self {
        let columns = ((area.width + 1) / (WIDTH + 1)).max(1);
        let rows = (area.height / HEIGHT).max(1);
        let full = Self { columns, rows };
        let count = u16::try_from(count.max(1)).unwrap_or(u16::MAX);
        let candidates = (1..=rows).map(|rows| Self {
            columns: count.div_ceil(rows),
            rows,
        });
        let possible = candidates.filter(|grid| grid.columns <= columns);
        let size = |grid: &Self| (area.width / grid.columns).min(SHAPE * (area.height / grid.rows));
        possible.max_by_key(size).unwrap_or(full)
    }

    /// Curves on it.
    pub(super) fn len(self) -> usize {
        usize::from(self.columns) * usize::from(self.rows)
    }

    /// The places, row by row, a column apart.
    pub(super) fn cells(self, area: Rect) -> impl Iterator<Item = Rect> {
        let cut = |length: u16, parts: u16, place: u16| {
            (u32::from(length) * u32::from(place) / u32::from(parts)) as u16
        };
        (0..self.rows).flat_map(move |row| {
            (0..self.columns).map(move |column| {
                let (left, top) = (
                    cut(area.width, self.columns, column),
                    cut(area.height, self.rows, row),
                );
                let right = cut(area.width, self.columns, column + 1);
                let bottom = cut(area.height, self.rows, row + 1);
                let gap = u16::from(column + 1 < self.columns);
                Rect {
                    x: area.x + left,
                    y: area.y + top,
                    width: (right - left).saturating_sub(gap),
                    height: bottom - top,
                }
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_curves_are_large_and_many_fill_the_screen() {
        let grid = |width, height, count| {
            let found = Grid::fitting(Rect::new(0, 0, width, height), count);
            (found.columns, found.rows)
        };
        assert_eq!(grid(80, 18, 1), (1, 1));
        assert_eq!(grid(80, 18, 3), (2, 2), "two and one below");
        assert_eq!(
            grid(80, 18, 28),
            (2, 3),
            "two of 39 columns and one between them"
        );
        assert_eq!(grid(160, 44, 28), (4, 7));
        assert_eq!(grid(40, 7, 28), (1, 1));
        assert_eq!(grid(1, 1, 28), (1, 1));
        assert_eq!(grid(0, 0, 0), (1, 1));
    }

    #[test]
    fn cells_lie_in_their_area_and_not_on_each_other() {
        let area = Rect::new(3, 2, 161, 43);
        let cells: Vec<Rect> = Grid::fitting(area, 28).cells(area).collect();
        assert_eq!(cells.len(), 28);
        for (place, cell) in cells.iter().enumerate() {
            assert_eq!(cell.intersection(area), *cell);
            let others = &cells[..place];
            assert!(others.iter().all(|other| !other.intersects(*cell)));
        }
    }
}
