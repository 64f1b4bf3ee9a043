//! Contour lines over a grid, by marching squares (the 2D version of Lorensen and Cline 1987).

use std::collections::BTreeMap;

use crate::scale::Scale;

/// Heights on a grid of `n_columns` × `n_rows` nodes, row-major.
pub(crate) struct Heights {
    pub(crate) n_columns: usize,
    pub(crate) n_rows: usize,
    pub(crate) values: Vec<f64>,
}

/// An edge of the grid: from a node to its right or upper neighbour.
type Edge = (usize, bool);

impl Heights {
    /// The lines where the height is `level`, as (column, row) in fractions of a cell. Cells with a corner
    /// that is not finite are gaps.
    pub(crate) fn isolines(&self, level: f64) -> Vec<Vec<(f64, f64)>> {
        let mut neighbours: BTreeMap<Edge, Vec<Edge>> = BTreeMap::new();
        for row in 0..self.n_rows.saturating_sub(1) {
            for column in 0..self.n_columns.saturating_sub(1) {
                for (a, b) in self.segments(column, row, level) {
                    neighbours.entry(a).or_default().push(b);
                    neighbours.entry(b).or_default().push(a);
                }
            }
        }
        // First the open lines, from one of their ends; the rest are closed.
        let ends: Vec<Edge> =
            neighbours.iter().filter(|(_, next)| next.len() == 1).map(|(&e, _)| e).collect();
        let all: Vec<Edge> = neighbours.keys().copied().collect();
        let mut lines = Vec::new();
        for start in ends.into_iter().chain(all) {
            let line = walk(&mut neighbours, start);
            if line.len() > 1 {
                lines.push(line.into_iter().map(|edge| self.crossing(edge, level)).collect());
            }
        }
        lines
    }

    /// The pairs of edges by which lines enter and leave a cell.
    fn segments(&self, column: usize, row: usize, level: f64) -> Vec<(Edge, Edge)> {
        let node = row * self.n_columns + column;
        let nodes = [node, node + 1, node + 1 + self.n_columns, node + self.n_columns];
        let heights = nodes.map(|n| self.values[n]);
        if heights.iter().any(|h| !h.is_finite()) {
            return Vec::new();
        }
        // Bottom, right, top, left: edge i is between corners i and i + 1.
        let edges = [(nodes[0], false), (nodes[1], true), (nodes[3], false), (nodes[0], true)];
        let above = heights.map(|h| h >= level);
        let crossed: Vec<usize> = (0..4).filter(|&i| above[i] != above[(i + 1) % 4]).collect();
        match crossed[..] {
            [a, b] => vec![(edges[a], edges[b])],
            // A saddle: its middle decides which corners are connected.
            [_, _, _, _] => {
                let middle = heights.iter().map(|h| h / 4.0).sum::<f64>() >= level;
                if middle == above[0] {
                    vec![(edges[0], edges[1]), (edges[2], edges[3])]
                } else {
                    vec![(edges[3], edges[0]), (edges[1], edges[2])]
                }
            }
            _ => Vec::new(),
        }
    }

    /// The point on an edge where the height is `level`, interpolated linearly between its nodes.
    fn crossing(&self, (node, upwards): Edge, level: f64) -> (f64, f64) {
        let other = node + if upwards { self.n_columns } else { 1 };
        let (from, to) = (self.values[node], self.values[other]);
        let t = Scale::Linear.share((from, to), level).clamp(0.0, 1.0);
        let (column, row) = ((node % self.n_columns) as f64, (node / self.n_columns) as f64);
        if upwards { (column, row + t) } else { (column + t, row) }
    }
}

/// Follows a line from `start` to its end and removes it from the map.
fn walk(neighbours: &mut BTreeMap<Edge, Vec<Edge>>, start: Edge) -> Vec<Edge> {
    let mut line = vec![start];
    let mut at = start;
    while let Some(next) = neighbours.get_mut(&at).and_then(Vec::pop) {
        if let Some(back) = neighbours.get_mut(&next)
            && let Some(i) = back.iter().position(|&edge| edge == at)
        {
            back.swap_remove(i);
        }
        line.push(next);
        at = next;
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sampled(n: usize, f: impl Fn(f64, f64) -> f64) -> Heights {
        let values = (0..n * n).map(|i| f((i % n) as f64, (i / n) as f64)).collect();
        Heights { n_columns: n, n_rows: n, values }
    }

    #[test]
    fn a_hill_has_round_lines() {
        let hill = sampled(41, |x, y| (x - 20.0).hypot(y - 20.0));
        let lines = hill.isolines(10.0);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].first(), lines[0].last(), "it is closed");
        for (x, y) in &lines[0] {
            assert!(((x - 20.0).hypot(y - 20.0) - 10.0).abs() < 0.02);
        }
    }

    #[test]
    fn a_saddle_has_two_lines_to_each_side() {
        let saddle =
            |level| sampled(31, |x, y| (x - 15.0).powi(2) - (y - 15.0).powi(2)).isolines(level).len();
        assert_eq!((saddle(20.5), saddle(-20.5)), (2, 2));
    }

    proptest! {
        #[test]
        fn lines_lie_between_higher_and_lower_nodes(
            values in prop::collection::vec(prop_oneof![9 => -1.0..1.0f64, 1 => Just(f64::NAN)], 36),
        ) {
            let heights = Heights { n_columns: 6, n_rows: 6, values };
            let lines = heights.isolines(0.0);
            let n_crossed: usize = (0..5)
                .flat_map(|row| (0..5).map(move |column| (column, row)))
                .map(|(column, row)| heights.segments(column, row, 0.0).len())
                .sum();
            // No segment is lost or drawn twice.
            prop_assert_eq!(lines.iter().map(|line| line.len() - 1).sum::<usize>(), n_crossed);
            prop_assert!(lines.iter().flatten().all(|&(x, y)| (0.0..=5.0).contains(&x) && (0.0..=5.0).contains(&y)));
        }
    }
}
