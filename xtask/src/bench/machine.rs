//! The recorded properties of the machine.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use super::results::Machine;

impl Machine {
    /// This machine; unknown values are "unknown" or 0.
    pub fn here() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let line = cpuinfo.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
        };
        let flags = field("flags").unwrap_or_default();
        let known = ["avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16"];
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kibibytes = memory.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        Self {
            cpu: field("model name").unwrap_or_else(|| "unknown".to_owned()),
            family: field("cpu family")
                .zip(field("model"))
                .map_or_else(String::new, |(f, m)| format!("{f}/{m}")),
            cores: n_cores(),
            simd: known
                .into_iter()
                .filter(|k| flags.split(' ').any(|f| f == *k))
                .map(str::to_owned)
                .collect(),
            memory_bytes: kibibytes * 1024,
            system: said_by("uname", &["-sr"]),
            rustc: said_by("rustc", &["--version"]),
        }
    }

    /// Whether it has these instructions.
    pub(super) fn has(&self, instructions: &str) -> bool {
        self.simd.iter().any(|name| name == instructions)
    }
}

/// The number of hardware threads.
pub(super) fn n_cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// The load average of the last minute, if the system reports it.
pub(super) fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

/// The revision of the source, with a `+` if files have been changed since.
pub(super) fn revision(root: &Path) -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(root).output();
        output.map_or_else(|_| String::new(), |o| String::from_utf8_lossy(&o.stdout).trim().to_owned())
    };
    let changed = if git(&["status", "--porcelain", "--untracked-files=no"]).is_empty() { "" } else { "+" };
    git(&["rev-parse", "--short=12", "HEAD"]) + changed
}

/// Today in UTC, as 2026-11-23.
pub(super) fn today() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let (year, month, day) = civil(seconds / 86_400);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The Gregorian date of a day since 1970-01-01: years of 365.2425 days that begin in March, so that the leap
/// day is the last (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn civil(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let (era, day_of_era) = (day / 146_097, day % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year_of_era + next_year, month, day_of_month)
}

fn said_by(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(|_| "unknown".to_owned(), |o| String::from_utf8_lossy(&o.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(11_017), (2000, 3, 1));
        assert_eq!(civil(20_818), (2026, 12, 31));
        assert_eq!(civil(20_819), (2027, 1, 1));
    }
}
