//! Seconds since 1970 as a date that a person reads (UTC, proleptic Gregorian calendar).

/// `2000-04-25 23:05`, or nothing outside the years 1970–2199: such numbers are no seconds since 1970.
pub fn date(seconds: i64) -> Option<String> {
    const DAY: i64 = 86_400;
    if !(0..7_258_118_400).contains(&seconds) {
        return None;
    }
    let (year, month, day) = civil_from_days(seconds.div_euclid(DAY));
    let minutes = seconds.rem_euclid(DAY) / 60;
    let (hour, minute) = (minutes / 60, minutes % 60);
    Some(format!(
        "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}"
    ))
}

/// Year, month (1–12) and day (1–31) of a day counted from 1970-01-01, for days from the year 0 on.
/// H. Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`: years begin in March, so that the leap day
/// is a year's last, and 400 years (an era) have 146,097 days.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468; // days from 0000-03-01
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates() {
        // date -u -d @N '+%F %H:%M'
        for (seconds, shown) in [
            (0, "1970-01-01 00:00"),
            (951_782_400, "2000-02-29 00:00"),
            (951_868_799, "2000-02-29 23:59"),
            (951_868_800, "2000-03-01 00:00"),
            (956_703_932, "2000-04-25 23:05"),
            (1_709_164_800, "2024-02-29 00:00"),
            (4_107_542_400, "2100-03-01 00:00"),
            (7_258_118_399, "2199-12-31 23:59"),
        ] {
            assert_eq!(date(seconds).as_deref(), Some(shown));
        }
    }

    #[test]
    fn what_is_no_time_of_this_age_has_no_date() {
        for seconds in [-1, 7_258_118_400, 978_300_760_000, i64::MIN, i64::MAX] {
            assert_eq!(date(seconds), None);
        }
    }
}
