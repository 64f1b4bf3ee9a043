//! Lines and areas cut at the edge of the plot: the unit square.

/// A place in the plot, (0, 0) at the lower left, (1, 1) at the upper right.
pub(crate) type Place = (f64, f64);

/// The pieces of a line that lie in the unit square. A place that is no number is a gap.
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

/// The part of a polygon that lies in the unit square (Sutherland and Hodgman 1974). The places are finite.
pub(crate) fn polygon(vertices: &[Place]) -> Vec<Place> {
    let mut vertices = vertices.to_vec();
    for edge in 0..4 {
        // How far inside of this edge of the square a vertex lies.
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
    vertices
}

pub(crate) fn inside((x, y): Place) -> bool {
    (0.0..=1.0).contains(&x) && (0.0..=1.0).contains(&y)
}

/// The part of a segment in the unit square, if any (Liang and Barsky 1984).
pub(crate) fn segment(from: Place, to: Place) -> Option<(Place, Place)> {
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
        t => between(from, to, t),
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
    use crate::axis::FAR;

    fn place() -> impl Strategy<Value = Place> {
        let coordinate = prop_oneof![4 => -1.0..2.0f64, 1 => Just(f64::NAN), 1 => -FAR..FAR];
        (coordinate.clone(), coordinate)
    }

    fn nearly_inside(&(x, y): &Place) -> bool {
        (-1e-9..=1.0 + 1e-9).contains(&x) && (-1e-9..=1.0 + 1e-9).contains(&y)
    }

    proptest! {
        #[test]
        fn pieces_lie_inside_and_hold_every_place_inside(places in prop::collection::vec(place(), 0..12)) {
            let pieces = polyline(places.iter().copied());
            prop_assert!(pieces.iter().flatten().all(nearly_inside), "{pieces:?}");
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
            prop_assert!(polygon(&vertices).iter().all(nearly_inside));
        }
    }

    #[test]
    fn a_line_across_the_square_is_cut_at_its_edges() {
        assert_eq!(polyline([(-1.0, 0.5), (2.0, 0.5)]), [[(0.0, 0.5), (1.0, 0.5)]]);
        assert_eq!(polyline([(0.5, 0.5), (0.5, 2.0), (0.7, 2.0), (0.7, 0.0)]).len(), 2);
        assert_eq!(polygon(&[(-1.0, -1.0), (3.0, -1.0), (3.0, 3.0), (-1.0, 3.0)]).len(), 4);
    }
}
