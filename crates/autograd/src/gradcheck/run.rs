//! All the ways to request a gradient, and what each must return.

use tensor::Shape;

use super::{GradCheck, MARGIN};
use crate::{Mode, ParamId, Params, Role, Tape, Var};

/// Which inputs get a gradient, and where they are stored.
#[derive(Clone, Copy, PartialEq)]
enum Ask {
    Variables,
    /// The inputs are entries of the parameters.
    Params,
    OnlyVariable(usize),
    /// None of the inputs; only the layer's own parameters.
    NoVariable,
}

/// Two inputs, the second of which has the value of the first.
pub(super) type Alias = Option<(usize, usize)>;

/// The results of a run: the outputs of all uses, and the gradients of inputs and of the layer's parameters.
pub(super) struct Run {
    pub(super) outputs: Vec<Vec<f32>>,
    grads: Vec<Option<Vec<f32>>>,
    param_grads: Vec<Vec<f32>>,
}

impl GradCheck<'_> {
    pub(super) fn check(&mut self) -> Result<(), String> {
        let forward = self.run_with(Ask::Variables, &[], None);
        let n_outputs = forward.outputs[0].len();
        let cotangents: Vec<Vec<f32>> = (0..2).map(|_| self.rng.floats(n_outputs, -1.0..1.0)).collect();

        // Used once, and twice on the same inputs: the second share is added to the first.
        for n_uses in [1, 2] {
            let cotangents = &cotangents[..n_uses];
            let run = self.run_with(Ask::Variables, cotangents, None);
            let label = if n_uses == 1 { "" } else { ", recorded twice on the same inputs" };
            self.compare(&run, cotangents, None, label)?;
            let from_params = self.run_with(Ask::Params, cotangents, None);
            if bits(&run) != bits(&from_params) {
                return Err(format!("variables and entries of Params get different gradients{label}"));
            }
        }
        self.check_each_alone(&cotangents[..1])?;
        for (i, j) in self.pairs_alike() {
            let (mut points, alias) = (self.points(), Some((i, j)));
            points[j] = points[i].clone();
            if (self.margin)(&points) > MARGIN {
                let run = self.run_with(Ask::Variables, &cotangents[..1], alias);
                self.compare(&run, &cotangents[..1], alias, &format!(", one value as inputs {i} and {j}"))?;
            }
        }
        Ok(())
    }

    /// Checks that a gradient is the same whether or not the others are requested.
    fn check_each_alone(&self, cotangents: &[Vec<f32>]) -> Result<(), String> {
        let all = self.run_with(Ask::Variables, cotangents, None);
        for i in self.variables() {
            let alone = self.run_with(Ask::OnlyVariable(i), cotangents, None);
            if alone.grads[i] != all.grads[i] {
                let name = self.name(i);
                return Err(format!(
                    "{name} has a different gradient when it is the only input that needs one: {:?} instead \
                     of {:?}",
                    alone.grads[i], all.grads[i]
                ));
            }
            if alone.grads.iter().flatten().count() != 1 {
                return Err(format!("other inputs got a gradient although only {} needs one", self.name(i)));
            }
        }
        if self.has_trainable_params() {
            let params_only = self.run_with(Ask::NoVariable, cotangents, None);
            if params_only.param_grads != all.param_grads {
                return Err("the parameters have different gradients when no input needs one".to_owned());
            }
        }
        Ok(())
    }

    /// Records once for each cotangent, all on the same inputs, and runs backward from Σ cotangent · output.
    /// Beforehand the parameters' gradients are full of NaN, and a step with NaN has used all other buffers.
    fn run_with(&self, ask: Ask, cotangents: &[Vec<f32>], alias: Alias) -> Run {
        let mut params = self.params.clone();
        let n_own = params.entries().len();
        let ids = self.inputs.iter().enumerate().map(|(i, input)| {
            let role = if input.is_statistic { Role::Statistic } else { Role::Trainable };
            let id = params.add(format!("input {i} of the gradient check"), input.shape, role);
            params.value_mut(id).copy_from_slice(&input.values);
            id
        });
        let ids: Vec<ParamId> = ids.collect();
        let mut tape = Tape::new();
        let poison: Vec<Vec<f32>> = cotangents.iter().map(|c| vec![f32::NAN; c.len()]).collect();
        self.step(&mut tape, &mut params.clone(), &ids, ask, &poison, alias);
        params.grads_mut().fill(f32::NAN);
        let mut run = self.step(&mut tape, &mut params, &ids, ask, cotangents, alias);
        let trained = |id| params.entry(id).is_trainable().then(|| params.grad(id).to_vec());
        run.param_grads = params.ids().take(n_own).map(|id| trained(id).unwrap_or_default()).collect();
        run
    }

    fn step(
        &self,
        tape: &mut Tape,
        params: &mut Params,
        ids: &[ParamId],
        ask: Ask,
        cotangents: &[Vec<f32>],
        alias: Alias,
    ) -> Run {
        let mut g = tape.begin(params, self.mode);
        let leaf = |i: usize| {
            let input = &self.inputs[i];
            match ask {
                _ if input.is_statistic => g.param(ids[i]),
                Ask::Params => g.param(ids[i]),
                Ask::NoVariable => g.input(input.shape, &input.values),
                Ask::OnlyVariable(only) if i != only => g.input(input.shape, &input.values),
                _ => g.variable(input.shape, &input.values),
            }
        };
        let mut vars: Vec<Var> = (0..self.inputs.len()).map(leaf).collect();
        if let Some((i, j)) = alias {
            vars[j] = vars[i];
        }
        let mut run = Run { outputs: Vec::new(), grads: Vec::new(), param_grads: Vec::new() };
        let mut loss = None;
        for cotangent in cotangents {
            let y = (self.record)(&g, &vars);
            run.outputs.push(g.value(y).to_vec());
            let share = g.sum(g.mul(y, g.input(g.shape(y), cotangent)));
            loss = Some(loss.map_or(share, |loss| g.add(loss, share)));
        }
        match loss {
            Some(loss) => {
                g.backward(loss);
                run.grads = vars.iter().map(|&var| g.grad(var).map(<[f32]>::to_vec)).collect();
            }
            None => {
                let y = (self.record)(&g, &vars);
                run.outputs.push(g.value(y).to_vec());
            }
        }
        run
    }

    /// The outputs of `n_uses` uses of these inputs and parameters.
    pub(super) fn forward(&self, points: &[Vec<f64>], n_uses: usize) -> Vec<Vec<f32>> {
        let as_f32 = |values: &[f64]| values.iter().map(|&v| v as f32).collect::<Vec<f32>>();
        let mut params = self.params.clone();
        let n_inputs = self.inputs.len();
        for (id, values) in params.ids().zip(&points[n_inputs..]) {
            params.value_mut(id).copy_from_slice(&as_f32(values));
        }
        let add = |params: &mut Params, i: usize, shape: Shape| {
            let id = params.add(format!("input {i} of the gradient check"), shape, Role::Statistic);
            params.value_mut(id).copy_from_slice(&as_f32(&points[i]));
            id
        };
        let ids: Vec<ParamId> =
            self.inputs.iter().enumerate().map(|(i, input)| add(&mut params, i, input.shape)).collect();
        let mut tape = Tape::new();
        let g = tape.begin(&mut params, Mode { grad: false, ..self.mode });
        let leaf = |i: usize| match self.inputs[i].is_statistic {
            true => g.param(ids[i]),
            false => g.input(self.inputs[i].shape, &as_f32(&points[i])),
        };
        let vars: Vec<Var> = (0..n_inputs).map(leaf).collect();
        (0..n_uses).map(|_| g.value((self.record)(&g, &vars)).to_vec()).collect()
    }

    /// The gradient of an input, or of a parameter (numbered after the inputs).
    pub(super) fn gradient<'r>(&self, run: &'r Run, i: usize) -> Option<&'r [f32]> {
        match i.checked_sub(self.inputs.len()) {
            None => run.grads[i].as_deref(),
            Some(param) => Some(&run.param_grads[param]),
        }
    }

    /// Everything that gets a gradient: inputs, then parameters.
    pub(super) fn trainable(&self) -> impl Iterator<Item = usize> {
        let params = self.params.entries().iter().enumerate().filter(|(_, entry)| entry.is_trainable());
        self.variables().chain(params.map(|(idx, _)| self.inputs.len() + idx))
    }

    fn has_trainable_params(&self) -> bool {
        self.params.entries().iter().any(crate::Entry::is_trainable)
    }

    fn variables(&self) -> impl Iterator<Item = usize> {
        (0..self.inputs.len()).filter(|&i| !self.inputs[i].is_statistic)
    }

    /// Pairs of variables that one value can stand for.
    fn pairs_alike(&self) -> Vec<(usize, usize)> {
        let pairs = self.variables().flat_map(|i| self.variables().map(move |j| (i, j)));
        pairs.filter(|&(i, j)| i < j && self.inputs[i].shape == self.inputs[j].shape).collect()
    }
}

fn bits(run: &Run) -> Vec<Vec<u32>> {
    let grads = run.grads.iter().flatten().chain(&run.param_grads);
    run.outputs.iter().chain(grads).map(|values| values.iter().map(|v| v.to_bits()).collect()).collect()
}
