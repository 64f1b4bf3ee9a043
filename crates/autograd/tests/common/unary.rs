//! The element-wise ops of one input, for the tests that hold for all of them.

use autograd::{Graph, Var};

/// Each gives an output of the shape of its input, on inputs that are positive.
pub(crate) const UNARY: &[fn(&Graph<'_>, Var) -> Var] = &[
    |g, x| g.neg(x),
    |g, x| g.scale(x, 2.0),
    |g, x| g.add_scalar(x, 2.0),
    |g, x| g.exp(x),
    |g, x| g.log(x),
    |g, x| g.sqrt(x),
    |g, x| g.pow(x, 2.0),
    |g, x| g.relu(x),
    |g, x| g.leaky_relu(x, 0.1),
    |g, x| g.sigmoid(x),
    |g, x| g.tanh(x),
    |g, x| g.gelu(x),
    |g, x| g.gelu_tanh(x),
    |g, x| g.silu(x),
    |g, x| g.mish(x),
    |g, x| g.softplus(x, 2.0, 20.0),
    |g, x| g.log_sigmoid(x),
    |g, x| g.elu(x, 1.0),
    |g, x| g.selu(x),
    |g, x| g.celu(x, 2.0),
    |g, x| g.hardtanh(x, -1.0, 1.0),
    |g, x| g.relu6(x),
    |g, x| g.hardsigmoid(x),
    |g, x| g.hardswish(x),
    |g, x| g.softmax(x),
    |g, x| g.log_softmax(x),
    |g, x| g.dropout(x, 0.5),
];
