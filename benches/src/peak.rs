//! A criterion measurement that shows throughput as a share of the machine's peak.

use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{Criterion, Throughput};

use crate::probe;

/// A measured peak rate of the machine.
#[derive(Debug, Clone, Copy)]
pub struct Peak {
    per_second: f64,
    giga_unit: &'static str,
}

impl Peak {
    /// Measures multiply-adds, for kernels whose elements are floating-point operations.
    pub fn flops() -> Self {
        join_pool();
        Self { per_second: probe::peak_flops(), giga_unit: "GFLOP/s" }
    }

    /// Measures copies, for kernels whose elements are bytes.
    pub fn copy() -> Self {
        join_pool();
        Self { per_second: probe::peak_copy(), giga_unit: "GB/s" }
    }
}

/// Wall time, and throughput relative to a peak.
pub struct AgainstPeak {
    wall: WallTime,
    formatter: Formatter,
}

struct Formatter {
    peak: Peak,
}

/// Creates a criterion that shows throughput as a share of `peak`.
pub fn criterion_against(peak: Peak) -> Criterion<AgainstPeak> {
    println!(
        "peak of {} threads: {:.1} {}",
        rayon::current_num_threads(),
        peak.per_second / 1e9,
        peak.giga_unit
    );
    criterion().with_measurement(AgainstPeak { wall: WallTime, formatter: Formatter { peak } })
}

/// Creates a criterion with half a second of warm-up and two seconds of measurement, on a thread of the
/// global pool: a step that starts outside would have to enter the pool each time.
pub fn criterion() -> Criterion {
    join_pool();
    Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2))
}

/// Adds this thread to the global pool.
fn join_pool() {
    // An error means that the pool already exists: another group of this program created it.
    _ = rayon::ThreadPoolBuilder::new().use_current_thread().build_global();
}

impl Measurement for AgainstPeak {
    type Intermediate = <WallTime as Measurement>::Intermediate;
    type Value = Duration;

    fn start(&self) -> Self::Intermediate {
        self.wall.start()
    }

    fn end(&self, start: Self::Intermediate) -> Duration {
        self.wall.end(start)
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        *a + *b
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        self.wall.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        &self.formatter
    }
}

impl Formatter {
    fn giga_per_second(&self, throughput: &Throughput, nanoseconds: f64) -> f64 {
        match *throughput {
            Throughput::Elements(n) | Throughput::Bytes(n) => n as f64 / nanoseconds,
            _ => 1.0 / nanoseconds,
        }
    }
}

impl ValueFormatter for Formatter {
    fn format_throughput(&self, throughput: &Throughput, nanoseconds: f64) -> String {
        let rate = self.giga_per_second(throughput, nanoseconds);
        let share = 100.0 * rate * 1e9 / self.peak.per_second;
        format!("{rate:.2} {} ({share:.0} % of the peak)", self.peak.giga_unit)
    }

    fn scale_values(&self, typical: f64, values: &mut [f64]) -> &'static str {
        WallTime.formatter().scale_values(typical, values)
    }

    fn scale_throughputs(&self, _: f64, throughput: &Throughput, values: &mut [f64]) -> &'static str {
        values.iter_mut().for_each(|value| *value = self.giga_per_second(throughput, *value));
        self.peak.giga_unit
    }

    fn scale_for_machines(&self, values: &mut [f64]) -> &'static str {
        WallTime.formatter().scale_for_machines(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throughput_is_shown_as_a_share() {
        let formatter = Formatter { peak: Peak { per_second: 200e9, giga_unit: "GFLOP/s" } };
        let text = formatter.format_throughput(&Throughput::Elements(1_000_000), 10_000.0);
        assert_eq!(text, "100.00 GFLOP/s (50 % of the peak)");
        assert_eq!(formatter.format_value(1500.0), "1.5000 µs");
    }
}
