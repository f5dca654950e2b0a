//! Value and gradients of the state loss on a CPU, [`ROWS`] examples at a time: their logits, and the products with all reasons, stay
//! in a core's cache. Tests compare both with burn's autodiff.

use burn::tensor::{Tensor, TensorData};

use super::{ABSENT, Identity, Texts};
use crate::kernels::{Matrix, exponentials, log_softmax_backward, product, softmax};
use crate::reward::catalogue::Catalogue;

/// Examples whose logits exist at once.
pub(super) const ROWS: usize = 32;
/// Attention logits are bounded to this: then no sum of their exponentials overflows or vanishes, and no maximum has to be found.
const LARGEST: f32 = 60.0;

/// A tensor, its values and the loss' gradient to it.
struct Leaf {
    tensor: Tensor<2>,
    width: usize,
    values: Vec<f32>,
    slope: Vec<f32>,
}

impl Leaf {
    /// None where the values are not float32.
    fn new(tensor: &Tensor<2>) -> Option<Self> {
        let values = tensor.clone().detach().try_into_vec_as::<f32>().ok()?;
        Some(Self {
            tensor: tensor.clone(),
            width: tensor.dims()[1],
            slope: vec![0.0; values.len()],
            values,
        })
    }

    /// Of `count` rows from `start` these `columns`.
    fn part(&self, start: usize, count: usize, columns: &Columns) -> Matrix<'_> {
        let from = start * self.width + columns.from;
        Matrix::strided(&self.values[from..], count, columns.width, self.width)
    }

    /// Adds a product to the gradient, at the same place.
    fn learn(&mut self, start: usize, columns: &Columns, left: Matrix, right: Matrix) {
        let from = start * self.width + columns.from;
        product(&mut self.slope[from..], self.width, left, right, 1.0, true);
    }

    fn row(&self, row: usize, columns: &Columns) -> &[f32] {
        &self.values[row * self.width + columns.from..][..columns.width]
    }

    /// Adds `scale · values` to the gradient of a row.
    fn learn_row(&mut self, row: usize, columns: &Columns, scale: f32, values: &[f32]) {
        let slope = &mut self.slope[row * self.width + columns.from..][..columns.width];
        for (slope, value) in slope.iter_mut().zip(values) {
            *slope += scale * value;
        }
    }

    /// Linear in the tensor, with the gradient as coefficients.
    fn linear(&self) -> Tensor<1> {
        let slope = TensorData::new(self.slope.clone(), self.tensor.dims());
        (self.tensor.clone() * Tensor::from_data(slope, &self.tensor.device())).sum()
    }
}

/// Columns of a leaf: all, or those of one head.
struct Columns {
    from: usize,
    width: usize,
}

fn dot(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

/// Examples `start .. start + count`.
struct Chunk<'a> {
    start: usize,
    count: usize,
    catalogue: &'a Catalogue,
}

impl Chunk<'_> {
    fn taken(&self, index: usize) -> usize {
        self.catalogue.taken[self.start + index] as usize
    }

    /// What each example sees of the shared items.
    fn visible(&self) -> impl Iterator<Item = &[(u32, u32)]> {
        let shared = self.catalogue.shared;
        let all = &self.catalogue.visible[self.start * shared..];
        all.chunks_exact(shared.max(1)).take(self.count)
    }
}

struct TextLeaves {
    query: Leaf,
    gate: Leaf,
    some: Leaf,
    none: Leaf,
    keys: Leaf,
    values: Leaf,
    heads: usize,
}

/// What the derivative of a chunk needs of its logits.
#[derive(Default)]
struct Scratch {
    /// `R` of the shared items.
    rows: usize,
    /// Exponentials of the attention logits (then the gradient of those), `[heads, ROWS, R]`.
    attention: Vec<f32>,
    /// `gate · v` (then its gradient).
    inner: Vec<f32>,
}

impl Scratch {
    fn new(heads: usize, rows: usize) -> Self {
        let values = vec![0.0; heads * ROWS * rows];
        Self {
            rows,
            attention: values.clone(),
            inner: values,
        }
    }

    /// Both, of one head.
    fn head(&mut self, head: usize) -> [&mut [f32]; 2] {
        let place = head * ROWS * self.rows..(head + 1) * ROWS * self.rows;
        [&mut self.attention[place.clone()], &mut self.inner[place]]
    }

    /// Both, of one head, example by example.
    fn examples(&mut self, head: usize) -> impl Iterator<Item = (&mut [f32], &mut [f32])> {
        let rows = self.rows.max(1); // without reasons there are no values either
        let [attention, inner] = self.head(head);
        attention
            .chunks_exact_mut(rows)
            .zip(inner.chunks_exact_mut(rows))
    }
}

/// Everything the loss has gradients to.
pub(super) struct Leaves {
    identity: Option<[Leaf; 2]>,
    texts: Option<TextLeaves>,
}

impl Leaves {
    /// None where the values are not float32, or where there is nothing.
    pub(super) fn new(identity: &Option<Identity>, texts: &Option<Texts>) -> Option<Self> {
        if identity.is_none() && texts.is_none() {
            return None;
        }
        let identity = match identity {
            Some(Identity { states, items }) => Some([Leaf::new(states)?, Leaf::new(items)?]),
            None => None,
        };
        let texts = match texts {
            Some(texts) => Some(TextLeaves {
                query: Leaf::new(&texts.probe.query)?,
                gate: Leaf::new(&texts.probe.gate)?,
                some: Leaf::new(&texts.probe.some)?,
                none: Leaf::new(&texts.probe.none)?,
                keys: Leaf::new(&texts.keys)?,
                values: Leaf::new(&texts.values)?,
                heads: texts.heads,
            }),
            None => None,
        };
        Some(Self { identity, texts })
    }

    /// Linear in every leaf, with the gradients as coefficients.
    pub(super) fn linear(&self) -> Tensor<1> {
        let identity = self.identity.iter().flatten();
        let texts = self.texts.iter().flat_map(|texts| {
            [
                &texts.query,
                &texts.gate,
                &texts.some,
                &texts.none,
                &texts.keys,
                &texts.values,
            ]
        });
        let sums = identity.chain(texts).map(Leaf::linear);
        Tensor::cat(sums.collect(), 0).sum()
    }

    /// Fills in the gradients and returns the loss.
    pub(super) fn differentiate(&mut self, catalogue: &Catalogue, weights: &[f32]) -> f64 {
        // One column more than there are shared items: for who took another.
        let columns = catalogue.shared + 1;
        let mut logits = vec![0.0; ROWS.min(weights.len()) * columns];
        let mut scratch = match &self.texts {
            Some(texts) => Scratch::new(texts.heads, catalogue.shared_rows),
            None => Scratch::default(),
        };
        let mut loss = 0.0;
        for start in (0..weights.len()).step_by(ROWS) {
            let count = ROWS.min(weights.len() - start);
            let chunk = Chunk {
                start,
                count,
                catalogue,
            };
            let logits = &mut logits[..count * columns];
            logits.fill(0.0);
            if let Some([states, items]) = &self.identity {
                identity_logits(states, items, &chunk, logits);
            }
            if let Some(texts) = &self.texts {
                texts.add_logits(&chunk, logits, &mut scratch);
            }
            for (index, row) in logits.chunks_exact_mut(columns).enumerate() {
                let (own, weight) = (
                    chunk.taken(index).min(catalogue.shared),
                    weights[start + index],
                );
                if own < catalogue.shared {
                    row[catalogue.shared] = ABSENT;
                }
                let score = row[own];
                loss += f64::from(weight) * f64::from(softmax(row, columns) - score);
                log_softmax_backward(row, own, -weight);
            }
            if let Some([states, items]) = &mut self.identity {
                identity_slopes(states, items, &chunk, logits);
            }
            if let Some(texts) = &mut self.texts {
                texts.differentiate(&chunk, logits, &mut scratch);
            }
        }
        loss
    }
}

fn identity_logits(states: &Leaf, items: &Leaf, chunk: &Chunk, logits: &mut [f32]) {
    let shared = chunk.catalogue.shared;
    let all = Columns {
        from: 0,
        width: states.width,
    };
    let table = items.part(0, shared, &all);
    let part = states.part(chunk.start, chunk.count, &all);
    product(logits, shared + 1, part, table.t(), 1.0, true);
    for (index, row) in logits.chunks_exact_mut(shared + 1).enumerate() {
        let own = items.row(chunk.taken(index), &all);
        row[shared] += dot(states.row(chunk.start + index, &all), own);
    }
}

fn identity_slopes(states: &mut Leaf, items: &mut Leaf, chunk: &Chunk, slopes: &[f32]) {
    let shared = chunk.catalogue.shared;
    let all = Columns {
        from: 0,
        width: states.width,
    };
    let slope = Matrix::strided(slopes, chunk.count, shared, shared + 1);
    states.learn(chunk.start, &all, slope, items.part(0, shared, &all));
    items.learn(
        0,
        &all,
        slope.t(),
        states.part(chunk.start, chunk.count, &all),
    );
    for (index, row) in slopes.chunks_exact(shared + 1).enumerate() {
        let (state, item, slope) = (chunk.start + index, chunk.taken(index), row[shared]);
        if item >= shared {
            states.learn_row(state, &all, slope, items.row(item, &all));
            items.learn_row(item, &all, slope, states.row(state, &all));
        }
    }
}

impl TextLeaves {
    fn columns(&self, head: usize) -> Columns {
        let width = self.query.width / self.heads;
        Columns {
            from: head * width,
            width,
        }
    }

    /// Adds `h · m` to the logits and keeps what its derivative needs.
    fn add_logits(&self, chunk: &Chunk, logits: &mut [f32], scratch: &mut Scratch) {
        let (rows, shared) = (scratch.rows, chunk.catalogue.shared);
        for head in 0..self.heads {
            let columns = self.columns(head);
            let [attention, inner] = scratch.head(head);
            for (out, left, right) in [
                (attention, &self.query, &self.keys),
                (inner, &self.gate, &self.values),
            ] {
                let part = left.part(chunk.start, chunk.count, &columns);
                let table = right.part(0, rows, &columns);
                product(out, rows, part, table.t(), 1.0, false);
            }
            let logits = logits.chunks_exact_mut(shared + 1);
            for (((attention, inner), logits), visible) in
                scratch.examples(head).zip(logits).zip(chunk.visible())
            {
                attend(attention, inner, logits, visible);
            }
        }
        for index in 0..chunk.count {
            let example = chunk.start + index;
            let (some, none) = (self.some.values[example], self.none.values[example]);
            let row = &mut logits[index * (shared + 1)..][..shared + 1];
            let visible = chunk.catalogue.visible[example * shared..].iter();
            for (logit, &(from, to)) in row[..shared].iter_mut().zip(visible) {
                *logit += if from == to { none } else { some };
            }
            let (from, to) = chunk.catalogue.own[example];
            row[shared] += if from == to { none } else { some };
            if chunk.taken(index) >= shared {
                for head in 0..self.heads {
                    let (weights, inner) = self.own(example, head, from..to);
                    row[shared] += dot(&weights, &inner);
                }
            }
        }
    }

    /// One head's attention over the reasons of an example's own item, and `gate · v` of each.
    fn own(&self, example: usize, head: usize, rows: std::ops::Range<u32>) -> (Vec<f32>, Vec<f32>) {
        let columns = self.columns(head);
        let meet = |left: &Leaf, right: &Leaf| {
            let left = left.row(example, &columns);
            rows.clone()
                .map(|row| dot(left, right.row(row as usize, &columns)))
                .collect::<Vec<f32>>()
        };
        let mut weights = meet(&self.query, &self.keys);
        exponentials(&mut weights, LARGEST);
        let total: f32 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= total);
        (weights, meet(&self.gate, &self.values))
    }

    /// From the logits' gradients to those of the leaves.
    fn differentiate(&mut self, chunk: &Chunk, slopes: &[f32], scratch: &mut Scratch) {
        let (rows, shared) = (scratch.rows, chunk.catalogue.shared);
        for head in 0..self.heads {
            let columns = self.columns(head);
            let slopes = slopes.chunks_exact(shared + 1);
            for (((attention, inner), slopes), visible) in
                scratch.examples(head).zip(slopes).zip(chunk.visible())
            {
                attend_backward(attention, inner, slopes, visible);
            }
            let [attention, inner] = scratch.head(head);
            for (slope, left, right) in [
                (attention, &mut self.query, &mut self.keys),
                (inner, &mut self.gate, &mut self.values),
            ] {
                let slope = Matrix::new(slope, chunk.count, rows);
                left.learn(chunk.start, &columns, slope, right.part(0, rows, &columns));
                let part = left.part(chunk.start, chunk.count, &columns);
                right.learn(0, &columns, slope.t(), part);
            }
        }
        for (index, row) in slopes.chunks_exact(shared + 1).enumerate() {
            let example = chunk.start + index;
            let visible = chunk.catalogue.visible[example * shared..].iter();
            for (slope, &(from, to)) in row[..shared].iter().zip(visible) {
                let leaf = if from == to {
                    &mut self.none
                } else {
                    &mut self.some
                };
                leaf.slope[example] += slope;
            }
            if chunk.taken(index) >= shared {
                self.differentiate_own(example, chunk.catalogue.own[example], row[shared]);
            }
        }
    }

    fn differentiate_own(&mut self, example: usize, (from, to): (u32, u32), slope: f32) {
        if from == to {
            self.none.slope[example] += slope;
            return;
        }
        self.some.slope[example] += slope;
        for head in 0..self.heads {
            let (weights, inner) = self.own(example, head, from..to);
            let columns = self.columns(head);
            let sum = dot(&weights, &inner);
            for ((row, weight), inner) in (from as usize..).zip(weights).zip(inner) {
                let share = slope * weight;
                for (scale, left, right) in [
                    (share * (inner - sum), &mut self.query, &mut self.keys),
                    (share, &mut self.gate, &mut self.values),
                ] {
                    left.learn_row(example, &columns, scale, right.row(row, &columns));
                    right.learn_row(row, &columns, scale, left.row(example, &columns));
                }
            }
        }
    }
}

/// Sums over an item's visible reasons, with `e` instead of attention: `Σ e` and `Σ e · inner`.
fn sums(exponentials: &[f32], inner: &[f32]) -> (f32, f32) {
    let pairs = exponentials.iter().zip(inner);
    pairs.fold((0.0, 0.0), |(total, sum), (e, inner)| {
        (total + e, sum + e * inner)
    })
}

/// One example and head: turns logits over all reasons into exponentials, and adds what each item gets by attention over its visible
/// reasons.
fn attend(attention: &mut [f32], inner: &[f32], logits: &mut [f32], visible: &[(u32, u32)]) {
    exponentials(attention, LARGEST);
    for (logit, &(from, to)) in logits.iter_mut().zip(visible) {
        let range = from as usize..to as usize;
        let (total, sum) = sums(&attention[range.clone()], &inner[range]);
        if from < to {
            *logit += sum / total;
        }
    }
}

/// Its derivative, in place: exponentials become the gradient of their logits, `inner` that of itself, zero where nothing is visible.
fn attend_backward(
    attention: &mut [f32],
    inner: &mut [f32],
    slopes: &[f32],
    visible: &[(u32, u32)],
) {
    let mut done = 0;
    for (&slope, &(from, to)) in slopes.iter().zip(visible) {
        let (from, to) = (from as usize, to as usize);
        if from == to {
            continue;
        }
        attention[done..from].fill(0.0);
        inner[done..from].fill(0.0);
        done = to;
        let (weights, inner) = (&mut attention[from..to], &mut inner[from..to]);
        let (total, sum) = sums(weights, inner);
        let (scale, mean) = (slope / total, sum / total);
        for (weight, inner) in weights.iter_mut().zip(inner) {
            let share = scale * *weight;
            *weight = share * (*inner - mean);
            *inner = share;
        }
    }
    attention[done..].fill(0.0);
    inner[done..].fill(0.0);
}
