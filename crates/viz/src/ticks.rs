//! Round numbers along an axis, and their labels.

/// A round number and its label.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    pub(crate) value: f64,
    pub(crate) label: String,
}

/// The ticks of an axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ticks {
    pub(crate) ticks: Vec<Tick>,
    /// Positions of fine lines between the ticks.
    pub(crate) fine: Vec<f64>,
    /// The offset to add to the labels, such as `+1.7×10⁹`, for ranges far from 0 where all begin with the
    /// same digits.
    pub(crate) offset: Option<String>,
}

/// At most about `max_n` multiples of 1, 2 or 5 times a power of ten in `lo..=hi`, for `lo < hi`.
pub(crate) fn linear(lo: f64, hi: f64, max_n: usize) -> Ticks {
    multiples(lo, hi, max_n, 0.0)
}

/// Ticks as of [`linear`] that are whole numbers; there may be none.
pub(crate) fn whole(lo: f64, hi: f64, max_n: usize) -> Ticks {
    multiples(lo, hi, max_n, 1.0)
}

/// Ticks that are `least_step` or more apart.
fn multiples(lo: f64, hi: f64, max_n: usize, least_step: f64) -> Ticks {
    let max_n = max_n.max(1) as f64;
    let raw_step = (hi / max_n - lo / max_n).min(f64::MAX).max(least_step);
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
    // Ticks further apart than the range is wide have no digits to save.
    let offset = offset(lo, hi).filter(|&(_, power)| power >= exponent);
    let (origin, origin_count) = match offset {
        // The power of the offset is at least the width, so not less than that of the step.
        Some((count, power)) => (decimal(count, power), count * 10i128.pow((power - exponent).max(0) as u32)),
        None => (0.0, 0),
    };
    let first = ((lo - origin) / step - 1e-6).ceil() as i128;
    let last = ((hi - origin) / step + 1e-6).floor() as i128;
    let counts: Vec<i128> = (first..=last).map(|k| k * digit).collect();
    let labels = labels(&counts, exponent);
    let values = counts.iter().map(|count| decimal(origin_count + count, exponent));
    let ticks = values.zip(labels).map(|(value, label)| Tick { value, label }).collect();
    Ticks { ticks, fine: Vec::new(), offset: offset.map(|(count, power)| signed(count, power)) }
}

/// The offset to subtract from the labels of `lo..=hi`, as a count and a power of ten, if that saves four
/// digits.
fn offset(lo: f64, hi: f64) -> Option<(i128, i32)> {
    let (near, far) = (lo.abs().min(hi.abs()), lo.abs().max(hi.abs()));
    if lo.signum() != hi.signum() || near == 0.0 {
        return None;
    }
    let power = ((hi - lo).log10() - 1e-9).ceil() as i32;
    if (far.log10().floor() as i32) - power < 4 {
        return None;
    }
    let unit = decimal(1, power);
    // The next multiple of `unit`, if it is near the start of the axis; otherwise the one below.
    let next = (near / unit).ceil();
    let is_start = next * unit - near < 0.1 * (far - near);
    let count = if is_start { next } else { next - 1.0 } as i128;
    Some((if lo < 0.0 { -count } else { count }, power))
}

/// `count * 10^power` in all its digits and with its sign: `+23,000`, `−1.7×10⁹`.
fn signed(mut count: i128, mut power: i32) -> String {
    while count % 10 == 0 && count != 0 {
        (count, power) = (count / 10, power + 1);
    }
    let n_more = count.unsigned_abs().to_string().len() as i32 - 1;
    let magnitude = n_more + power;
    let number = if (-5..6).contains(&magnitude) {
        fixed(decimal(count, power), (-power).max(0) as usize)
    } else {
        format!("{}×10{}", fixed(decimal(count, -n_more), n_more as usize), superscript(magnitude))
    };
    if count < 0 { number } else { format!("+{number}") }
}

/// Powers of ten in `lo..=hi`, for `0 < lo < hi`. For less than two decades, also their multiples by 2 and 5,
/// and for very short ranges multiples of a round step.
pub(crate) fn logarithmic(lo: f64, hi: f64, max_n: usize) -> Ticks {
    let (first, last) = ((lo.log10() - 1e-9).ceil() as i32, (hi.log10() + 1e-9).floor() as i32);
    let inside = |v: &f64| v.is_finite() && *v > 0.0 && (lo * (1.0 - 1e-9)..=hi * (1.0 + 1e-9)).contains(v);
    let multiples = |digits: &'static [i128]| {
        let all = (first - 1..=last).flat_map(move |e| digits.iter().map(move |&d| (d, e)));
        all.filter(move |&(d, e)| inside(&decimal(d, e)))
    };
    let n_decades = last - first + 1;
    if n_decades >= 3 {
        let stride = (n_decades as usize).div_ceil(max_n.max(2));
        let powers: Vec<i32> = (first..=last).filter(|e| e.rem_euclid(stride as i32) == 0).collect();
        let plain = powers.iter().all(|e| (-3..=4).contains(e));
        let label = |e: i32| {
            if plain { fixed(decimal(1, e), (-e).max(0) as usize) } else { format!("10{}", superscript(e)) }
        };
        let ticks = powers.iter().map(|&e| Tick { value: decimal(1, e), label: label(e) }).collect();
        let fine = multiples(&[2, 3, 4, 5, 6, 7, 8, 9]).map(|(d, e)| decimal(d, e));
        let fine = if n_decades <= 6 { fine.collect() } else { Vec::new() };
        return Ticks { ticks, fine, offset: None };
    }
    let rounded: Vec<(i128, i32)> = multiples(&[1, 2, 5]).collect();
    if rounded.len() < 3 {
        return linear(lo, hi, max_n);
    }
    let counts: Vec<i128> = rounded.iter().map(|&(d, e)| d * 10i128.pow((e - first + 1) as u32)).collect();
    // They are not evenly spaced, so each has the decimals it needs: 0.001, 0.01.
    let labels = labels(&counts, first - 1).into_iter().map(without_zeros);
    let values = rounded.iter().map(|&(d, e)| decimal(d, e));
    let ticks = values.zip(labels).map(|(value, label)| Tick { value, label }).collect();
    Ticks { ticks, fine: Vec::new(), offset: None }
}

/// `count * 10^exponent`, rounded once.
fn decimal(count: i128, exponent: i32) -> f64 {
    format!("{count}e{exponent}").parse().expect("a decimal number")
}

/// Labels for the multiples `counts` of `10^exponent`, all with the same number of decimals.
fn labels(counts: &[i128], exponent: i32) -> Vec<String> {
    let largest = counts.iter().map(|&count| decimal(count, exponent).abs()).fold(0.0, f64::max);
    let plain = largest < 1e6 && exponent >= -5;
    let power = if largest > 0.0 { largest.log10().floor() as i32 } else { 0 };
    let label = |&count: &i128| match count {
        0 => "0".to_owned(),
        _ if plain => fixed(decimal(count, exponent), (-exponent).max(0) as usize),
        _ => {
            let n_decimals = (power - exponent).max(0) as usize;
            format!("{}×10{}", fixed(decimal(count, exponent - power), n_decimals), superscript(power))
        }
    };
    counts.iter().map(label).collect()
}

/// A number with `n_decimals`, a true minus sign, and thousands separators from five digits on.
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

/// A number with about three digits, to be read next to its mark: `0.8931` → `0.893`.
pub(crate) fn brief(value: f64) -> String {
    significant(value, 3)
}

/// A number with about `n_digits`, at least two.
pub(crate) fn significant(value: f64, n_digits: usize) -> String {
    if value == 0.0 || !value.is_finite() {
        // Without the sign of a negative zero.
        return format!("{:.0}", value + 0.0);
    }
    let power = value.abs().log10().floor() as i32;
    if !(-3..6).contains(&power) {
        let scientific = format!("{value:.0$e}", n_digits - 2);
        let (mantissa, power) = scientific.split_once('e').expect("it has an exponent");
        let mantissa = trimmed(mantissa.parse().expect("a number"), n_digits - 2);
        return format!("{mantissa}×10{}", superscript(power.parse().expect("a number")));
    }
    trimmed(value, (n_digits as i32 - 1 - power).max(0) as usize)
}

/// [`fixed`] without trailing zeros in the fraction.
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

    fn labels(ticks: &Ticks) -> Vec<&str> {
        ticks.ticks.iter().map(|t| t.label.as_str()).collect()
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
    fn what_is_counted_has_whole_ticks() {
        for (lo, hi, max_n, expected) in [
            (1.0, 2.0, 12, &["1", "2"][..]),
            (1.0, 3.0, 12, &["1", "2", "3"]),
            (0.95, 1.05, 12, &["1"]),
            (1.0, 50.0, 6, &["10", "20", "30", "40", "50"]),
            (0.2, 0.8, 12, &[]),
            (10_000.98, 10_001.03, 12, &["10,001"]),
        ] {
            assert_eq!(labels(&whole(lo, hi, max_n)), expected, "{lo}..{hi}");
        }
        assert_eq!(whole(1.0, 50.0, 6), linear(1.0, 50.0, 6));
    }

    #[test]
    fn a_logarithmic_axis_has_powers_of_ten() {
        let ticks = logarithmic(2e-4, 3.0, 6);
        assert_eq!(labels(&ticks), ["0.001", "0.01", "0.1", "1"]);
        assert_eq!(ticks.fine.len(), 8 * 4 + 2);
        assert_eq!(labels(&logarithmic(1e-8, 1e2, 6)), ["10⁻⁸", "10⁻⁶", "10⁻⁴", "10⁻²", "10⁰", "10²"]);
        assert_eq!(labels(&logarithmic(0.3, 6.0, 6)), ["0.5", "1", "2", "5"]);
        assert_eq!(labels(&logarithmic(1.0, 1.5, 5)), ["1.0", "1.1", "1.2", "1.3", "1.4", "1.5"]);
    }

    #[test]
    fn far_from_0_the_labels_say_what_to_add() {
        for (lo, hi, expected, offset) in [
            (1.7e9, 1.7e9 + 594.0, vec!["0", "200", "400"], "+1.7×10⁹"),
            (1e8, 1e8 + 99.0, vec!["0", "50"], "+1×10⁸"),
            (-1e8 - 99.0, -1e8, vec!["−50", "0"], "−1×10⁸"),
            (1.7e9 - 17.0, 1.7e9 + 611.0, vec!["0", "500"], "+1.7×10⁹"),
            (1.7e9 + 400.0, 1.7e9 + 1294.0, vec!["500", "1000"], "+1.7×10⁹"),
            (23_456.01, 23_456.02, vec!["0", "0.005", "0.010"], "+23,456.01"),
            (2.302584, 2.302586, vec!["4×10⁻⁶", "5×10⁻⁶", "6×10⁻⁶"], "+2.30258"),
        ] {
            let ticks = linear(lo, hi, 3);
            assert_eq!((labels(&ticks), ticks.offset.as_deref()), (expected, Some(offset)));
        }
        for (lo, hi) in [(2000.0, 2020.0), (0.0, 1e-9), (-1.0, 1e9), (9990.0, 10_010.0)] {
            assert_eq!(linear(lo, hi, 3).offset, None, "{lo}..{hi}");
        }
        assert_eq!(logarithmic(1.7e9, 1.7e9 + 594.0, 3), linear(1.7e9, 1.7e9 + 594.0, 3));
    }

    #[test]
    fn the_largest_and_smallest_numbers_have_ticks() {
        assert_eq!(labels(&linear(f64::MIN, f64::MAX, 4)), ["−1×10³⁰⁸", "0", "1×10³⁰⁸"]);
        assert_eq!(labels(&linear(f64::MIN, f64::MAX, 1)), ["0"]);
        assert_eq!(labels(&linear(0.0, 1e-310, 2)), ["0", "0.5×10⁻³¹⁰", "1.0×10⁻³¹⁰"]);
        let all = logarithmic(5e-324, f64::MAX, 4);
        assert_eq!(labels(&all), ["10⁻³¹⁶", "10⁻¹⁵⁸", "10⁰", "10¹⁵⁸"]);
    }

    #[test]
    fn numbers_are_brief() {
        let all: Vec<String> = [0.8931, 68.98, 100.0, 12345.0, -0.176336, 2.5e-9, 0.0].map(brief).into();
        assert_eq!(all, ["0.893", "69", "100", "12,345", "−0.176", "2.5×10⁻⁹", "0"]);
        assert_eq!(brief(-0.0), "0");
        assert_eq!([5e-324, f64::MIN].map(brief), ["4.9×10⁻³²⁴", "−1.8×10³⁰⁸"]);
        assert_eq!(significant(1_000_123.0, 7), "1.00012×10⁶");
    }

    proptest! {
        #[test]
        fn ticks_lie_in_the_range_in_order(a in -1e300..1e300f64, span in -290..290i32, n in 1..12usize) {
            let width = 10f64.powi(span).max(a.abs() * 1e-12);
            let (lo, hi) = (a, a + width);
            let ticks = linear(lo, hi, n).ticks;
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
            let Ticks { ticks, fine, .. } = logarithmic(lo, hi, 6);
            prop_assert!(ticks.len() <= 13 && fine.len() <= 56);
            let within = |v: f64| (lo * 0.999..=hi * 1.001).contains(&v);
            prop_assert!(ticks.iter().all(|t| within(t.value)) && fine.iter().all(|&v| within(v)));
        }
    }
}
