"""Sweep files, valid and invalid, with the verdict that is right. references/make.py asks W&B's own code for its own.

The first of each are what W&B's documentation and course projects have; the rest take the keys one by one.
"""

import json

import yaml

VALID = {
    "documentation: first example": """
program: train.py
name: sweepdemo
method: bayes
metric: {goal: minimize, name: validation_loss}
parameters:
  learning_rate: {min: 0.0001, max: 0.1}
  batch_size: {values: [16, 32, 64]}
  epochs: {values: [5, 10, 15]}
  optimizer: {values: ["adam", "sgd"]}
""",
    "documentation: random": """
program: train.py
method: random
metric: {goal: minimize, name: loss}
parameters:
  batch_size: {distribution: q_log_uniform_values, max: 256, min: 32, q: 8}
  dropout: {values: [0.3, 0.4, 0.5]}
  epochs: {value: 1}
  fc_layer_size: {values: [128, 256, 512]}
  learning_rate: {distribution: uniform, max: 0.1, min: 0}
  optimizer: {values: ["adam", "sgd"]}
""",
    "documentation: bayes with hyperband": """
program: train.py
method: bayes
metric: {goal: minimize, name: val_loss}
parameters:
  dropout: {values: [0.15, 0.2, 0.25, 0.3, 0.4]}
  hidden_layer_size: {values: [96, 128, 148]}
  layer_1_size: {values: [10, 12, 14, 16, 18, 20]}
  layer_2_size: {values: [24, 28, 32, 36, 40, 44]}
  learn_rate: {values: [0.001, 0.01, 0.003]}
  decay: {values: [1e-5, 1e-6, 1e-7]}
  momentum: {values: [0.8, 0.9, 0.95]}
  epochs: {value: 27}
early_terminate: {type: hyperband, s: 2, eta: 3, max_iter: 27}
""",
    "documentation: min_iter": """
method: random
metric: {name: loss}
parameters: {lr: {min: 0.0, max: 1.0}}
early_terminate: {type: hyperband, min_iter: 3}
""",
    "documentation: command": """
program: run.py
method: random
metric: {name: validation_loss}
parameters:
  learning_rate: {min: 0.0001, max: 0.1}
command:
  - ${env}
  - ${interpreter}
  - ${program}
  - "--batch_size=${batch_size}"
  - "--optimizer=${optimizer}"
  - "--test=True"
""",
    "documentation: nested": """
program: sweep_nested.py
name: nested
method: random
metric: {name: loss, goal: minimize}
parameters:
  optimizer: {values: ['adam', 'sgd']}
  fc_layer_size: {values: [128, 256, 512]}
  dropout: {values: [0.3, 0.4, 0.5]}
  epochs: {value: 1}
  learning_rate: {distribution: uniform, min: 0, max: 0.1}
  nested_param:
    parameters:
      learning_rate: {values: [0.01, 0.001]}
      double_nested_param:
        parameters:
          x: {value: 0.9}
          y: {value: 0.8}
""",
    "documentation: a float by its tag": """
method: random
parameters: {lr: {min: !!float 1e-5, max: !!float 1e-1}}
""",
    "documentation: in JSON": '{"method": "random", "parameters": {"lr": {"min": 1e-5, "max": 1e-1}}}',
    "course: the space of question 4": """
method: grid
metric: {name: val_accuracy, goal: maximize}
parameters:
  epochs: {values: [5, 10]}
  num_layers: {values: [3, 4, 5]}
  hidden_size: {values: [32, 64, 128]}
  weight_decay: {values: [0, 0.0005, 0.5]}
  learning_rate: {values: [1e-3, 1e-4]}
  optimizer: {values: [sgd, momentum, nesterov, rmsprop, adam, nadam]}
  batch_size: {values: [16, 32, 64]}
  weight_init: {values: [random, Xavier]}
  activation: {values: [sigmoid, tanh, ReLU]}
""",
    "course: sizes as lists": """
method: bayes
metric: {name: Accuracy, goal: maximize}
parameters:
  activation: {values: [relu, sigmoid]}
  learning_rate: {distribution: log_uniform_values, min: 1.0e-4, max: 0.1}
  momentum: {distribution: uniform, min: 0.5, max: 0.99}
  hidden_size: {values: [[784], [32, 64, 128], [784, 10], [128, 256], [64, 128, 256], [784, 32]]}
""",
    "course: hyperband with eta": """
name: Question_4_Sweep
method: bayes
metric: {goal: maximize, name: val_acc}
early_terminate: {type: hyperband, eta: 2, min_iter: 5}
parameters:
  n_epoch: {values: [8, 9, 10, 11, 12]}
  size_hidden_layer: {values: [32, 64]}
  eta: {min: 0.00001, max: 0.001}
  activation_func: {values: [sigmoid, ReLU, tanh], probabilities: [0.5, 0.4, 0.1]}
""",
    "course: hyperband with min_iter and max_iter": """
method: bayes
metric: {name: best_val_accuracy, goal: maximize}
early_terminate: {type: hyperband, min_iter: 7, max_iter: 20, eta: 2}
parameters: {epochs: {values: [20]}}
""",
    "course: hyperband with lists": """
method: bayes
metric: {name: validationaccuracy, goal: maximize}
early_terminate: {type: hyperband, min_iter: [3], s: [2]}
parameters: {max_epochs: {values: [5, 10]}, num_hidden_layers: {values: [2, 3, 4]}}
""",
    "every key at the top": """
method: grid
program: train.py
name: n
description: d
project: p
entity: e
controller: {type: local, scheduler: resource}
kind: sweep
apiVersion: "1"
metric: {name: loss, goal: minimize, target: 0.1, impute: latest}
early_terminate: {type: hyperband, min_iter: 1, eta: 2.5}
command: [python, train.py]
parameters: {a: {value: 1}}
""",
    "a limit, a job and an image": """
{method: random, run_cap: 5, job: j, image_uri: i, parameters: {a: {value: 1}}}
""",
    "a limit as 5.0": "{method: random, run_cap: 5.0, parameters: {a: {value: 1}}}",
    "hyperband, strict": """
{method: random, metric: {name: loss}, parameters: {a: {value: 1}},
 early_terminate: {type: hyperband, min_iter: 3, strict: false}}
""",
    "imputing while running": """
{method: bayes, metric: {name: loss, impute: best, impute_while_running: "false"}, parameters: {a: {values: [1, 2]}}}
""",
    "an empty command": "{method: random, command: [], parameters: {a: {value: 1}}}",
    "a constant": "{method: random, parameters: {a: {value: 1}}}",
    "a constant null": "{method: random, parameters: {a: {value: null}}}",
    "a constant list": "{method: random, parameters: {a: {value: [1, 2]}}}",
    "a constant, named": "{method: random, parameters: {a: {distribution: constant, value: x}}}",
    "categorical, named": "{method: random, parameters: {a: {distribution: categorical, values: [1, x, null, true]}}}",
    "categorical, repeated": "{method: random, parameters: {a: {values: [0, 0, 0]}}}",
    "probabilities": "{method: random, parameters: {a: {values: [1, 2], probabilities: [0.25, 0.75]}}}",
    "probabilities, named": """
{method: random,
 parameters: {a: {distribution: categorical_w_probabilities, values: [1, 2], probabilities: [0, 1]}}}
""",
    "probabilities with categorical": """
{method: random, parameters: {a: {distribution: categorical, values: [1, 2], probabilities: [0.5, 0.5]}}}
""",
    "probabilities that sum to 1 nearly": """
{method: random, parameters: {a: {values: [1, 2, 3], probabilities: [0.33333, 0.33333, 0.33333]}}}
""",
    "whole bounds": "{method: random, parameters: {a: {min: -3, max: 7}}}",
    "bounds with points": "{method: random, parameters: {a: {min: -3.0, max: 7.0}}}",
    "int_uniform": "{method: random, parameters: {a: {distribution: int_uniform, min: 1, max: 2}}}",
    "uniform, whole bounds": "{method: random, parameters: {a: {distribution: uniform, min: 0, max: 1}}}",
    "uniform, one whole bound": "{method: random, parameters: {a: {distribution: uniform, min: 0, max: 0.5}}}",
    "q_uniform": "{method: random, parameters: {a: {distribution: q_uniform, min: 0, max: 10}}}",
    "q_uniform, q": "{method: random, parameters: {a: {distribution: q_uniform, min: 0, max: 1, q: 0.1}}}",
    "log_uniform": "{method: random, parameters: {a: {distribution: log_uniform, min: -5, max: -1}}}",
    "q_log_uniform": "{method: random, parameters: {a: {distribution: q_log_uniform, min: 1, max: 5, q: 2}}}",
    "inv_log_uniform": "{method: random, parameters: {a: {distribution: inv_log_uniform, min: 1, max: 5}}}",
    "log_uniform_values": "{method: random, parameters: {a: {distribution: log_uniform_values, min: 0.1, max: 1}}}",
    "q_log_uniform_values": "{method: random, parameters: {a: {distribution: q_log_uniform_values, min: 1, max: 9}}}",
    "inv_log_uniform_values": """
{method: random, parameters: {a: {distribution: inv_log_uniform_values, min: 0.01, max: 1}}}
""",
    "normal": "{method: random, parameters: {a: {distribution: normal}}}",
    "normal, sigma 0": "{method: random, parameters: {a: {distribution: normal, mu: -1, sigma: 0}}}",
    "q_normal": "{method: random, parameters: {a: {distribution: q_normal, mu: 1.5, sigma: 2, q: 0.5}}}",
    "log_normal": "{method: random, parameters: {a: {distribution: log_normal, mu: 0, sigma: 1}}}",
    "q_log_normal": "{method: random, parameters: {a: {distribution: q_log_normal}}}",
    "beta": "{method: random, parameters: {a: {distribution: beta, a: 2, b: 5}}}",
    "q_beta": "{method: random, parameters: {a: {distribution: q_beta, q: 0.1}}}",
    "nested, named": "{method: random, parameters: {g: {distribution: nested, parameters: {a: {value: 1}}}}}",
    "names with - and .": "{method: random, parameters: {a-b.c: {value: 1}, _d: {value: 2}}}",
    "grid of all that it can have": """
{method: grid, parameters: {a: {value: 1}, b: {values: [1, 2]}, c: {min: 1, max: 3},
 d: {distribution: q_uniform, min: 0, max: 1, q: 0.25}, e: {parameters: {f: {values: [x, y]}}}}}
""",
    "bayes of all that it can have": """
{method: bayes, metric: {name: loss}, parameters: {a: {value: 1}, b: {values: [1, 2]}, c: {min: 1, max: 3},
 d: {distribution: beta}, e: {parameters: {f: {distribution: normal}}}}}
""",
    "a target": "{method: random, metric: {name: acc, goal: maximize, target: 1}, parameters: {a: {value: 1}}}",
    "course: early_stopping": """
method: random
metric: {name: val_accuracy, goal: maximize}
early_stopping: {type: hyperband, min_iter: 3, max_iter: 20}
parameters: {lr: {values: [1, 2]}}
""",
    "unknown key at the top": "{method: random, colour: red, parameters: {a: {value: 1}}}",
    "count": "{method: random, count: 5, parameters: {a: {value: 1}}}",
}

#: name → (file, what the problems must name, in the order of the problems)
INVALID = {
    "documentation: the template as it stands": (
        """
program: <insert>
method: <insert>
parameter:
  hyperparameter_name0: {value: 0}
early_terminate: {type: hyperband, s: 0, eta: 0, max_iter: 0}
""",
        (
            "Unknown method '<insert>'",
            "parameters is missing",
            "metric is missing",
            "early_terminate.eta is 0; it must be a number above 1",
            "early_terminate.max_iter is 0",
            "parameter is no key of a sweep file, and is not used. Did you mean 'parameters'?",
        ),
    ),
    "course: probabilities that sum to 0.9": (
        """
{method: random, parameters: {batch_size: {values: [16, 32, 64, 128], probabilities: [0.1, 0.3, 0.4, 0.1]}}}
""",
        ("parameters.batch_size.probabilities is .*sum to 1",),
    ),
    "no mapping": ("[method, random]", ("holds keys",)),
    "empty": ("", ("holds keys",)),
    "a text": ("random", ("holds keys",)),
    "no method": ("{parameters: {a: {value: 1}}}", ("method is missing; it must be 'bayes' or 'grid' or 'random'",)),
    "no parameters": ("{method: random}", ("parameters is missing",)),
    "parameters null": ("{method: random, parameters: }", ("parameters is None",)),
    "parameters empty": ("{method: random, parameters: {}}", ("parameters is {}; .*at least one",)),
    "parameters a list": ("{method: random, parameters: [a, b]}", ("parameters is \\['a', 'b'\\]",)),
    "method misspelt": ("{method: baysian, parameters: {a: {value: 1}}}", ("Unknown method.*mean 'bayes'",)),
    "method in capitals": ("{method: Grid, parameters: {a: {value: 1}}}", ("Unknown method.*mean 'grid'",)),
    "method custom": ("{method: custom, parameters: {a: {value: 1}}}", ("method custom is for W&B's own",)),
    "method a number": ("{method: 3, parameters: {a: {value: 1}}}", ("method is 3; it must be 'bayes' or",)),
    "several metrics": (
        "{method: random, metrics: [{name: a}, {name: b}], parameters: {a: {value: 1}}}",
        ("metrics, several at once",),
    ),
    "scheduler": (
        "{method: random, scheduler: {engine: wandb}, parameters: {a: {value: 1}}}",
        ("scheduler is for W&B's own",),
    ),
    "run_cap 0": ("{method: random, run_cap: 0, parameters: {a: {value: 1}}}", ("run_cap is 0; .*from 1",)),
    "run_cap 2.5": ("{method: random, run_cap: 2.5, parameters: {a: {value: 1}}}", ("run_cap is 2.5",)),
    "run_cap true": ("{method: random, run_cap: true, parameters: {a: {value: 1}}}", ("run_cap is True",)),
    "command a text": ("{method: random, command: python x.py, parameters: {a: {value: 1}}}", ("command is 'python",)),
    "program null": ("{method: random, program: null, parameters: {a: {value: 1}}}", ("program is None",)),
    "kind": ("{method: random, kind: sweeps, parameters: {a: {value: 1}}}", ("Unknown kind 'sweeps'.*'sweep'",)),
    "name a number": ("{method: random, name: 5, parameters: {a: {value: 1}}}", ("name is 5; it must be a text",)),
    "apiVersion a number": ("{method: random, apiVersion: 1, parameters: {a: {value: 1}}}", ("apiVersion is 1",)),
    "controller of no type": ("{method: random, controller: {}, parameters: {a: {value: 1}}}", ("controller.type is",)),
    "controller of a type of its own": (
        "{method: random, controller: {type: remote}, parameters: {a: {value: 1}}}",
        ("controller.type",),
    ),
    "metric a text": ("{method: random, metric: loss, parameters: {a: {value: 1}}}", ("metric is 'loss'; .*{name: ",)),
    "metric of no name": (
        "{method: random, metric: {goal: minimize}, parameters: {a: {value: 1}}}",
        ("metric.name is missing",),
    ),
    "goal misspelt": (
        "{method: random, metric: {name: acc, goal: maximise}, parameters: {a: {value: 1}}}",
        ("Unknown metric.goal 'maximise'.*mean 'maximize'",),
    ),
    "target a text": (
        "{method: random, metric: {name: loss, target: 1e-3}, parameters: {a: {value: 1}}}",
        ("metric.target is '1e-3'.*1.0e-5",),
    ),
    "impute": (
        "{method: random, metric: {name: loss, impute: mean}, parameters: {a: {value: 1}}}",
        ("Unknown metric.impute 'mean'",),
    ),
    "impute_while_running false": (
        "{method: random, metric: {name: loss, impute_while_running: false}, parameters: {a: {value: 1}}}",
        ("metric.impute_while_running is False; .*'false'",),
    ),
    "unknown key of metric": (
        "{method: random, metric: {name: loss, gaol: minimize}, parameters: {a: {value: 1}}}",
        ("metric.gaol: .*mean 'goal'",),
    ),
    "bayes without metric": ("{method: bayes, parameters: {a: {value: 1}}}", ("metric is missing; method bayes",)),
    "hyperband without metric": (
        "{method: random, early_terminate: {type: hyperband, min_iter: 3}, parameters: {a: {value: 1}}}",
        ("metric is missing; early_terminate needs one",),
    ),
    **{
        f"hyperband: {name}": (
            f"{{method: random, metric: {{name: loss}}, parameters: {{a: {{value: 1}}}}, early_terminate: {given}}}",
            (named,),
        )
        for name, given, named in [
            ("a text", "hyperband", "early_terminate is 'hyperband'; .*{type: hyperband"),
            ("no type", "{min_iter: 3}", "early_terminate.type is missing"),
            ("another type", "{type: median, min_iter: 3}", "Unknown early_terminate.type 'median'"),
            ("neither iteration", "{type: hyperband, eta: 3}", "neither min_iter nor both max_iter and s"),
            ("max_iter without s", "{type: hyperband, max_iter: 27}", "neither min_iter nor both max_iter and s"),
            ("min_iter 0", "{type: hyperband, min_iter: 0}", "early_terminate.min_iter is 0"),
            ("min_iter 2.5", "{type: hyperband, min_iter: 2.5}", "early_terminate.min_iter is 2.5"),
            ("min_iter of two", "{type: hyperband, min_iter: [3, 9]}", "early_terminate.min_iter is \\[3, 9\\]"),
            ("eta 1", "{type: hyperband, min_iter: 3, eta: 1}", "early_terminate.eta is 1"),
            ("strict a text", '{type: hyperband, min_iter: 3, strict: "no"}', "early_terminate.strict is 'no'"),
            (
                "bands without end",
                "{type: hyperband, max_iter: 27, s: 1000000000, eta: 1.0000001}",
                "more than 1,000 bands",
            ),
            ("no band", "{type: hyperband, max_iter: 2, s: 2}", "early_terminate has no band"),
            ("s 0", "{type: hyperband, max_iter: 27, s: 0}", "early_terminate has no band"),
            ("unknown key", "{type: hyperband, min_iters: 3, min_iter: 3}", "min_iters: .*mean 'min_iter'"),
        ]
    },
    **{
        f"parameter: {name}": (f"{{method: {method}, parameters: {{x: {given}}}}}", named)
        for name, method, given, *named in [
            ("a number", "random", "0.1", "parameters.x is 0.1; .*{value: 0.1}"),
            ("a list", "random", "[1, 2]", "parameters.x is \\[1, 2\\]; .*{values: \\[1, 2\\]}"),
            ("empty", "random", "{}", "parameters.x must have value, values, min and max"),
            ("mu only", "random", "{mu: 1}", "parameters.x must have value, values, min and max"),
            ("values misspelt", "random", "{vlaues: [1]}", "parameters.x.vlaues: .*mean 'values'"),
            (
                "min misspelt",
                "random",
                "{mim: 1, max: 2}",
                "parameters.x.mim: .*mean 'min'",
                "parameters.x.min is miss",
            ),
            ("value and values", "random", "{value: 1, values: [1]}", "parameters.x.values: Unknown key"),
            ("a list of texts", "random", f"{['x' * 500] * 500}", r"parameters.x is \[.{,900}\.\.\."),
            ("no values", "random", "{values: []}", "parameters.x.values is \\[\\]; .*at least one"),
            ("values a text", "random", "{values: adam}", "parameters.x.values is 'adam'"),
            (
                "a date",
                "random",
                "{value: 2021-03-04}",
                "JSON.*YAML takes 2021-03-04 for a date; as a text",
            ),
            ("dates", "random", "{values: [2021-03-04]}", "parameters.x.values is .*YAML takes 2021-03-04 for a date"),
            (
                "a bound of 400 digits",
                "random",
                f"{{min: 0, max: {10**400}}}",
                "x.max is .*about 400 digits; .*at most 19",
            ),
            ("a bound of a large number", "random", f"{{min: 0.5, max: {10**400}}}", "x: of min 0.5 and max .*ambig"),
            ("min above max", "random", "{min: 2, max: 1}", "parameters.x.min is 2; .*less than max, 1"),
            ("min equal to max", "random", "{min: 0.5, max: 0.5}", "parameters.x.min is 0.5; .*less than max, 0.5"),
            ("no max", "random", "{min: 1}", "parameters.x.max is missing"),
            ("one whole bound", "random", "{min: 0, max: 0.5}", "parameters.x: of min 0 and max 0.5 .*ambiguous"),
            ("a bound in quotes", "random", '{min: "0.1", max: 1.0}', "parameters.x.min is '0.1'.*YAML"),
            ("a bound that YAML takes for a text", "random", "{min: 1e-5, max: 0.1}", "x.min is '1e-5'.*1.0e-5"),
            ("an infinite bound", "random", "{min: 0.0, max: .inf}", "parameters.x.max is inf; .*finite"),
            ("bounds true and false", "random", "{min: false, max: true}", "x.min is False", "x.max is True"),
            ("unknown distribution", "random", "{distribution: lognormal}", "Unknown parameters.x.dist.*'log_normal'"),
            ("distribution a number", "random", "{distribution: 3}", "Unknown parameters.x.distribution"),
            ("int_uniform with points", "random", "{distribution: int_uniform, min: 1.0, max: 3.0}", "min", "max"),
            ("log_uniform_values from 0", "random", "{distribution: log_uniform_values, min: 0, max: 1}", "x.min is 0"),
            ("min above max, log", "random", "{distribution: log_uniform_values, min: 2, max: 1}", "x.min is 2"),
            ("q 0", "random", "{distribution: q_uniform, min: 0, max: 1, q: 0}", "x.q is 0; .*positive"),
            ("q without q_", "random", "{distribution: uniform, min: 0, max: 1, q: 0.1}", "parameters.x.q: Unknown"),
            ("sigma negative", "random", "{distribution: normal, sigma: -1}", "x.sigma is -1; .*from 0"),
            ("beta's a negative", "random", "{distribution: beta, a: -1}", "x.a is -1; .*positive"),
            ("beta's a 0", "random", "{distribution: beta, a: 0}", "x.a is 0; .*positive"),
            ("uniform with values", "random", "{distribution: uniform, values: [1]}", "values", "min is", "max is"),
            ("probabilities of another length", "random", "{values: [1, 2], probabilities: [1]}", "has 1 numbers"),
            ("probabilities negative", "random", "{values: [1, 2], probabilities: [-1, 2]}", "x.probabilities is"),
            ("probabilities without values", "random", "{probabilities: [1]}", "parameters.x must have value"),
            ("nested, empty", "random", "{parameters: {}}", "parameters.x.parameters is {}"),
            ("nested beside values", "random", "{parameters: {a: {value: 1}}, values: [1]}", "x.values: Unknown"),
            ("nested of no parameters", "random", "{distribution: nested}", "parameters.x.parameters is missing"),
            ("nested, wrong inside", "random", "{parameters: {a: {min: 3, max: 1}}}", "x.parameters.a.min is 3"),
            ("grid of uniform", "grid", "{min: 0.0, max: 1.0}", "parameters.x: method grid cannot have uniform"),
            ("grid of normal", "grid", "{distribution: normal}", "parameters.x: method grid cannot have normal"),
            ("grid with probabilities", "grid", "{values: [1, 2], probabilities: [0.5, 0.5]}", "method grid cannot"),
            ("grid, nested", "grid", "{parameters: {a: {min: 0.0, max: 1.0}}}", "x.parameters.a: method grid cannot"),
            ("grid without end", "grid", "{distribution: q_uniform, min: 0, max: 1, q: 1.0e-9}", "x.q is 1e-09"),
        ]
    },
    "a name with a space": ("{method: random, parameters: {a b: {value: 1}}}", ("the name 'a b' must begin",)),
    "a name that is a number": ("{method: random, parameters: {1: {value: 1}}}", ("the name 1 must begin",)),
    "a name twice": (
        "{method: random, parameters: {a.b: {value: 1}, a: {parameters: {b: {value: 2}}}}}",
        ("2 parameters have the name a.b",),
    ),
}

FILES = VALID | {name: text for name, (text, _) in INVALID.items()}


def load(text):
    """What W&B's client makes of the file."""
    return json.loads(text) if text.startswith('{"') else yaml.safe_load(text)
