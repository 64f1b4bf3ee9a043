//! Round numbers along an axis, and how they are written.

/// A round number and its label.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    pub(crate) value: f64,
    pub(crate) label: String,
}

/// At most about `max_n` multiples of 1, 2 or 5 times a power of ten in `lo..=hi`, for `lo < hi`.
pub(crate) fn linear(lo: f64, hi: f64, max_n: usize) -> Vec<Tick> {
    let raw_step = (hi - lo) / max_n.max(1) as f64;
    let mut exponent = raw_step.log10().floor() as i32;
    let scaled = raw_step / decimal(1, exponent);
    let digit = match scaled {
        s if s <= 1.0 + 1e-9 => 1,
        s if s <= 2.0 + 1e-9 => 2,
        s if s <= 5.0 + 1e-9 => 5,
        _ => {
            exponent += 1;
            1
        }
    };
    let step = decimal(digit, exponent);
    let first = (lo / step - 1e-6).ceil() as i64;
    let last = (hi / step + 1e-6).floor() as i64;
    let counts: Vec<i64> = (first..=last).map(|k| k * digit).collect();
    labelled(&counts, exponent)
}

/// Powers of ten in `lo..=hi`, for `0 < lo < hi`; over less than two decades also their multiples by 2 and 5,
/// and over hardly any distance multiples of a round step. The second part are the places of fine lines
/// between the ticks.
pub(crate) fn logarithmic(lo: f64, hi: f64, max_n: usize) -> (Vec<Tick>, Vec<f64>) {
    let (first, last) = ((lo.log10() - 1e-9).ceil() as i32, (hi.log10() + 1e-9).floor() as i32);
    let inside = |v: &f64| (lo * (1.0 - 1e-9)..=hi * (1.0 + 1e-9)).contains(v);
    let multiples =
        |digits: &'static [i64]| (first - 1..=last).flat_map(move |e| digits.iter().map(move |&d| (d, e)));
    let n_decades = last - first + 1;
    if n_decades >= 3 {
        let stride = (n_decades as usize).div_ceil(max_n.max(2));
        let powers: Vec<i32> = (first..=last).filter(|e| e.rem_euclid(stride as i32) == 0).collect();
        let plain = powers.iter().all(|e| (-3..=4).contains(e));
        let label = |e: i32| {
            if plain { fixed(decimal(1, e), (-e).max(0) as usize) } else { format!("10{}", superscript(e)) }
        };
        let ticks = powers.iter().map(|&e| Tick { value: decimal(1, e), label: label(e) }).collect();
        let fine = multiples(&[2, 3, 4, 5, 6, 7, 8, 9]).map(|(d, e)| decimal(d, e)).filter(inside);
        return (ticks, if n_decades <= 6 { fine.collect() } else { Vec::new() });
    }
    let values: Vec<f64> = multiples(&[1, 2, 5]).map(|(d, e)| decimal(d, e)).filter(inside).collect();
    if values.len() < 3 {
        return (linear(lo, hi, max_n), Vec::new());
    }
    let counts: Vec<i64> = multiples(&[1, 2, 5])
        .filter(|&(d, e)| inside(&decimal(d, e)))
        .map(|(d, e)| d * 10i64.pow((e - first + 1) as u32))
        .collect();
    // They are not equally far apart, so each has the decimals it needs: 0.001, 0.01.
    let ticks = labelled(&counts, first - 1).into_iter();
    (ticks.map(|tick| Tick { label: without_zeros(tick.label), ..tick }).collect(), Vec::new())
}

/// `count * 10^exponent`, rounded once.
fn decimal(count: i64, exponent: i32) -> f64 {
    format!("{count}e{exponent}").parse().expect("a decimal number")
}

/// Labels for the multiples `counts` of `10^exponent`, all with the same number of decimals.
fn labelled(counts: &[i64], exponent: i32) -> Vec<Tick> {
    let values = counts.iter().map(|&count| decimal(count, exponent));
    let largest = values.clone().fold(0.0, |m: f64, v| m.max(v.abs()));
    let plain = largest < 1e6 && exponent >= -5;
    let power = if largest > 0.0 { largest.log10().floor() as i32 } else { 0 };
    let label = |count: i64, value: f64| match count {
        0 => "0".to_owned(),
        _ if plain => fixed(value, (-exponent).max(0) as usize),
        _ => {
            let n_decimals = (power - exponent).max(0) as usize;
            format!("{}×10{}", fixed(decimal(count, exponent - power), n_decimals), superscript(power))
        }
    };
    counts.iter().zip(values).map(|(&count, value)| Tick { value, label: label(count, value) }).collect()
}

/// A number with `n_decimals`, a true minus sign, and commas between thousands from five digits on.
pub(crate) fn fixed(value: f64, n_decimals: usize) -> String {
    let digits = format!("{:.n_decimals$}", value.abs());
    let (whole, fraction) = digits.split_once('.').map_or((digits.as_str(), None), |(w, f)| (w, Some(f)));
    let mut text = String::new();
    if value < 0.0 && digits.contains(|c: char| ('1'..='9').contains(&c)) {
        text.push('−');
    }
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && whole.len() > 4 && (whole.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if let Some(fraction) = fraction {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

/// A number in about three digits, to be read beside its mark: `0.8931` → `0.893`.
pub(crate) fn brief(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let power = value.abs().log10().floor() as i32;
    if !(-3..6).contains(&power) {
        return format!("{}×10{}", trimmed(value / 10f64.powi(power), 1), superscript(power));
    }
    trimmed(value, (2 - power).max(0) as usize)
}

/// [`fixed`] without zeros at the end of the fraction.
fn trimmed(value: f64, n_decimals: usize) -> String {
    without_zeros(fixed(value, n_decimals))
}

fn without_zeros(text: String) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn superscript(exponent: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let raise = |c: char| c.to_digit(10).map_or('⁻', |d| DIGITS[d as usize]);
    exponent.to_string().chars().map(raise).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|t| t.label.as_str()).collect()
    }

    #[test]
    fn steps_are_round_and_labels_alike() {
        assert_eq!(labels(&linear(0.0, 1.0, 5)), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&linear(-8.0, 8.0, 8)), ["−8", "−6", "−4", "−2", "0", "2", "4", "6", "8"]);
        assert_eq!(labels(&linear(0.0, 39_100.0, 4)), ["0", "10,000", "20,000", "30,000"]);
        assert_eq!(labels(&linear(0.0, 3e-7, 3)), ["0", "1×10⁻⁷", "2×10⁻⁷", "3×10⁻⁷"]);
        assert_eq!(
            labels(&linear(0.0, 2.5e6, 5)),
            ["0", "0.5×10⁶", "1.0×10⁶", "1.5×10⁶", "2.0×10⁶", "2.5×10⁶"]
        );
    }

    #[test]
    fn a_logarithmic_axis_has_powers_of_ten() {
        let (ticks, fine) = logarithmic(2e-4, 3.0, 6);
        assert_eq!(labels(&ticks), ["0.001", "0.01", "0.1", "1"]);
        assert_eq!(fine.len(), 8 * 4 + 2);
        assert_eq!(labels(&logarithmic(1e-8, 1e2, 6).0), ["10⁻⁸", "10⁻⁶", "10⁻⁴", "10⁻²", "10⁰", "10²"]);
        assert_eq!(labels(&logarithmic(0.3, 6.0, 6).0), ["0.5", "1", "2", "5"]);
        assert_eq!(labels(&logarithmic(1.0, 1.5, 5).0), ["1.0", "1.1", "1.2", "1.3", "1.4", "1.5"]);
    }

    #[test]
    fn numbers_are_brief() {
        let all: Vec<String> = [0.8931, 68.98, 100.0, 12345.0, -0.176336, 2.5e-9, 0.0].map(brief).into();
        assert_eq!(all, ["0.893", "69", "100", "12,345", "−0.176", "2.5×10⁻⁹", "0"]);
    }

    proptest! {
        #[test]
        fn ticks_lie_in_the_range_in_order(a in -1e300..1e300f64, span in -290..290i32, n in 1..12usize) {
            let width = 10f64.powi(span).max(a.abs() * 1e-6);
            let (lo, hi) = (a, a + width);
            let ticks = linear(lo, hi, n);
            prop_assert!(ticks.len() <= n + 1);
            let slack = width * 1e-3;
            prop_assert!(ticks.iter().all(|t| (lo - slack..=hi + slack).contains(&t.value)), "{ticks:?}");
            prop_assert!(ticks.windows(2).all(|w| w[0].value < w[1].value && w[0].label != w[1].label), "{ticks:?}");
        }

        #[test]
        fn logarithmic_ticks_lie_in_the_range(lo in -299..299i32, digit in 1.0..9.9f64, span in 0.01..600f64) {
            let lo = digit * 10f64.powi(lo);
            let hi = 10f64.powf((lo.log10() + span).min(300.0));
            prop_assume!(hi > lo * 1.001);
            let (ticks, fine) = logarithmic(lo, hi, 6);
            prop_assert!(ticks.len() <= 13 && fine.len() <= 56);
            let within = |v: f64| (lo * 0.999..=hi * 1.001).contains(&v);
            prop_assert!(ticks.iter().all(|t| within(t.value)) && fine.iter().all(|&v| within(v)));
        }
    }
}
