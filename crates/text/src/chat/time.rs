//! `strftime` for a clock that is a parameter.

use std::fmt::Write;

/// A moment in the reader's own time zone.
///
/// Templates such as Llama 3's put today's date into the prompt. So that a prompt can be repeated,
/// the date is given from outside, as seconds since 1970-01-01T00:00 *local* time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    /// Seconds since the start of 1970 on a local clock.
    pub seconds: i64,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// A date of the Gregorian calendar.
struct Date {
    year: i64,
    /// 1 to 12.
    month: i64,
    /// 1 to 31.
    day: i64,
    /// 0 to 365.
    day_of_year: i64,
    /// 0 is Monday.
    weekday: i64,
}

impl Date {
    /// The date of a day, counted from 1970-01-01.
    fn new(days: i64) -> Self {
        // Years are counted from March, so that the leap day is a year's last: Howard Hinnant,
        // "chrono-compatible low-level date algorithms", civil_from_days.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let from_march = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * from_march + 2) / 153;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        let before_march = 59 + i64::from(is_leap);
        Self {
            year,
            month,
            day: from_march - (153 * month_from_march + 2) / 5 + 1,
            day_of_year: if month <= 2 { from_march - 306 } else { from_march + before_march },
            weekday: (days + 3).rem_euclid(7),
        }
    }
}

impl LocalTime {
    /// This moment in the words of C's `strftime`, in English; `Err` is a directive that is not known.
    pub(super) fn format(self, pattern: &str) -> Result<String, char> {
        let days = self.seconds.div_euclid(86_400);
        let time = self.seconds.rem_euclid(86_400);
        // Far beyond any calendar; keeps the sums below in range.
        let date = Date::new(days.clamp(-1_000_000_000, 1_000_000_000));
        let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
        let hour12 = (hour + 11) % 12 + 1;
        let name =
            |names: &'static [&str], at: i64| usize::try_from(at).ok().and_then(|at| names.get(at).copied());
        let month = name(&MONTHS, date.month - 1).unwrap_or_default();
        let weekday = name(&DAYS, date.weekday).unwrap_or_default();
        let mut out = String::new();
        let mut chars = pattern.chars();
        while let Some(ch) = chars.next() {
            if ch != '%' {
                out.push(ch);
                continue;
            }
            let mut directive = chars.next().unwrap_or('%');
            // `%-d` is a number without leading zeros.
            let bare = directive == '-';
            if bare {
                directive = chars.next().unwrap_or('-');
            }
            let (value, width) = match directive {
                'Y' => (date.year, 1),
                'y' => (date.year.rem_euclid(100), 2),
                'm' => (date.month, 2),
                'd' => (date.day, 2),
                'j' => (date.day_of_year + 1, 3),
                'H' => (hour, 2),
                'I' => (hour12, 2),
                'M' => (minute, 2),
                'S' => (second, 2),
                'f' => (0, 6),
                'u' => (date.weekday + 1, 1),
                'w' => ((date.weekday + 1) % 7, 1),
                _ => {
                    match directive {
                        'B' => out.push_str(month),
                        'b' | 'h' => out.push_str(&month[..3]),
                        'A' => out.push_str(weekday),
                        'a' => out.push_str(&weekday[..3]),
                        'p' => out.push_str(if hour < 12 { "AM" } else { "PM" }),
                        'F' => out.push_str(&self.format("%Y-%m-%d")?),
                        'D' => out.push_str(&self.format("%m/%d/%y")?),
                        'T' => out.push_str(&self.format("%H:%M:%S")?),
                        'R' => out.push_str(&self.format("%H:%M")?),
                        'n' => out.push('\n'),
                        't' => out.push('\t'),
                        // A clock without a time zone writes none.
                        'Z' | 'z' => {}
                        '%' => out.push('%'),
                        other => return Err(other),
                    }
                    continue;
                }
            };
            // Writing to a String cannot fail.
            let _ = write!(out, "{value:0width$}", width = if bare { 1 } else { width });
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// Moments with what Python's `datetime` writes for them.
    #[test]
    fn dates_are_those_of_python() {
        let pattern = "%Y-%m-%d %j %A %a %B %b %-d %H:%M:%S %I %p %y %w %%";
        for (seconds, text) in [
            (0, "1970-01-01 001 Thursday Thu January Jan 1 00:00:00 12 AM 70 4 %"),
            (951_782_400, "2000-02-29 060 Tuesday Tue February Feb 29 00:00:00 12 AM 00 2 %"),
            (1_772_895_845, "2026-03-07 066 Saturday Sat March Mar 7 15:04:05 03 PM 26 6 %"),
            (4_102_444_799, "2099-12-31 365 Thursday Thu December Dec 31 23:59:59 11 PM 99 4 %"),
            (-2_203_891_200, "1900-03-01 060 Thursday Thu March Mar 1 00:00:00 12 AM 00 4 %"),
        ] {
            assert_eq!(LocalTime { seconds }.format(pattern).as_deref(), Ok(text));
        }
    }

    #[test]
    fn unknown_directives_are_named_and_no_moment_panics() {
        assert_eq!(LocalTime { seconds: 0 }.format("%Q"), Err('Q'));
        for seconds in [i64::MIN, i64::MAX] {
            assert!(LocalTime { seconds }.format("%Y %j %A").is_ok());
        }
    }
}
