//! Clips lines and areas to the plot: the unit square.

/// A position in the plot: (0, 0) is the lower left, (1, 1) the upper right.
pub(crate) type Place = (f64, f64);

/// So far from the plot, in plot widths, that a line to it might as well go on for ever.
const FAR: f64 = 1e12;

/// Moves a position beyond [`FAR`] closer in the same direction. The difference is invisible, and no product
/// of two positions overflows.
pub(crate) fn near((x, y): Place) -> Place {
    let (x, y) = (x.clamp(-1e300, 1e300), y.clamp(-1e300, 1e300));
    let distance = x.abs().max(y.abs());
    if distance > FAR { (x / distance * FAR, y / distance * FAR) } else { (x, y) }
}

/// The pieces of a line that are in the unit square. A NaN position is a gap.
pub(crate) fn polyline(places: impl IntoIterator<Item = Place>) -> Vec<Vec<Place>> {
    let mut pieces: Vec<Vec<Place>> = Vec::new();
    let mut before: Option<Place> = None;
    // Whether the last piece ends at `before`.
    let mut is_open = false;
    for place in places {
        if !place.0.is_finite() || !place.1.is_finite() {
            (before, is_open) = (None, false);
            continue;
        }
        match before.map(|from| segment(from, place)) {
            None if inside(place) => {
                pieces.push(vec![place]);
                is_open = true;
            }
            Some(Some((from, to))) => {
                match pieces.last_mut() {
                    Some(piece) if is_open => piece.push(to),
                    _ => pieces.push(vec![from, to]),
                }
                is_open = to == place;
            }
            None | Some(None) => is_open = false,
        }
        before = Some(place);
    }
    pieces
}

/// The part of a polygon in the unit square (Sutherland and Hodgman 1974). The positions are finite.
pub(crate) fn polygon(vertices: &[Place]) -> Vec<Place> {
    let mut vertices = vertices.to_vec();
    for edge in 0..4 {
        // How far inside this edge of the square a vertex is.
        let depth = |v: Place| [v.0, 1.0 - v.0, v.1, 1.0 - v.1][edge];
        let mut kept = Vec::with_capacity(vertices.len() + 4);
        for (i, &to) in vertices.iter().enumerate() {
            let from = vertices[(i + vertices.len() - 1) % vertices.len()];
            let (from_depth, to_depth) = (depth(from), depth(to));
            if (from_depth < 0.0) != (to_depth < 0.0) {
                kept.push(between(from, to, from_depth / (from_depth - to_depth)));
            }
            if to_depth >= 0.0 {
                kept.push(to);
            }
        }
        vertices = kept;
    }
    vertices.into_iter().map(|(x, y)| (x.clamp(0.0, 1.0), y.clamp(0.0, 1.0))).collect()
}

pub(crate) fn inside((x, y): Place) -> bool {
    (0.0..=1.0).contains(&x) && (0.0..=1.0).contains(&y)
}

/// The part of a segment in the unit square, if any (Liang and Barsky 1984).
pub(crate) fn segment(from: Place, to: Place) -> Option<(Place, Place)> {
    // Measured from the nearer end, because a fraction of the way from a distant end is too imprecise.
    let size = |p: Place| p.0.abs().max(p.1.abs());
    if size(to) < size(from) {
        return forward(to, from).map(|(a, b)| (b, a));
    }
    forward(from, to)
}

/// [`segment`] in the direction of its parameter.
fn forward(from: Place, to: Place) -> Option<(Place, Place)> {
    let (mut enter, mut leave) = (0.0f64, 1.0f64);
    for (start, delta) in [(from.0, to.0 - from.0), (from.1, to.1 - from.1)] {
        if delta == 0.0 {
            if !(0.0..=1.0).contains(&start) {
                return None;
            }
            continue;
        }
        let (a, b) = (-start / delta, (1.0 - start) / delta);
        enter = enter.max(a.min(b));
        leave = leave.min(a.max(b));
    }
    let at = |t: f64| match t {
        0.0 => from,
        1.0 => to,
        t => {
            let (x, y) = between(from, to, t);
            (x.clamp(0.0, 1.0), y.clamp(0.0, 1.0))
        }
    };
    (enter <= leave).then(|| (at(enter), at(leave)))
}

fn between(from: Place, to: Place, t: f64) -> Place {
    (from.0 + t * (to.0 - from.0), from.1 + t * (to.1 - from.1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place() -> impl Strategy<Value = Place> {
        let coordinate = prop_oneof![4 => -1.0..2.0f64, 1 => Just(f64::NAN), 1 => -FAR..FAR];
        (coordinate.clone(), coordinate)
    }

    proptest! {
        #[test]
        fn pieces_lie_inside_and_hold_every_place_inside(places in prop::collection::vec(place(), 0..12)) {
            let pieces = polyline(places.iter().copied());
            prop_assert!(pieces.iter().flatten().all(|&p| inside(p)), "{pieces:?}");
            for p in places.iter().filter(|&&p| inside(p)) {
                prop_assert!(pieces.iter().flatten().any(|q| q == p), "{p:?} is lost in {pieces:?}");
            }
        }

        #[test]
        fn a_line_inside_stays_whole(places in prop::collection::vec((0.0..1.0f64, 0.0..1.0f64), 1..12)) {
            prop_assert_eq!(polyline(places.iter().copied()), vec![places.clone()]);
            prop_assert_eq!(polygon(&places), places);
        }

        #[test]
        fn a_cut_polygon_lies_inside(vertices in prop::collection::vec((-3.0..3.0f64, -3.0..3.0f64), 3..8)) {
            prop_assert!(polygon(&vertices).iter().all(|&p| inside(p)));
        }
    }

    #[test]
    fn a_line_from_far_away_comes_from_its_direction() {
        for far in [1e3, 1e9, 1e12] {
            let places = [(0.5, 0.5), near((far, far / 1e3))];
            let pieces = polyline(places);
            let end = pieces[0][1];
            assert!((end.0 - 1.0).abs() < 1e-6 && (end.1 - 0.5005).abs() < 1e-3, "{far}: {end:?}");
            let back: Vec<Vec<Place>> = polyline([places[1], places[0]]);
            assert_eq!(back, [[end, places[0]]]);
        }
        let (x, y) = near((1e250, -2e247));
        assert!(x == FAR && (y / x + 2e-3).abs() < 1e-9, "{x} {y}");
        assert_eq!(near((f64::INFINITY, 0.0)), (FAR, 0.0));
        assert!(near((f64::NAN, 1e300)).0.is_nan());
    }

    #[test]
    fn a_line_across_the_square_is_cut_at_its_edges() {
        assert_eq!(polyline([(-1.0, 0.5), (2.0, 0.5)]), [[(0.0, 0.5), (1.0, 0.5)]]);
        assert_eq!(polyline([(0.5, 0.5), (0.5, 2.0), (0.7, 2.0), (0.7, 0.0)]).len(), 2);
        assert_eq!(polygon(&[(-1.0, -1.0), (3.0, -1.0), (3.0, 3.0), (-1.0, 3.0)]).len(), 4);
    }
}
