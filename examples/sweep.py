"""A sweep from Python: search settings, stop poor ones early, look at all of them.

The dictionary is what would stand in a W&B sweep file. The folder `runs/sweep_of_digits` keeps every trial: the same
program again goes on where it was, and `muslin report runs/sweep_of_digits` makes a page of it.
"""

import muslin

TRIALS = 20
EPOCHS = 12

if __name__ == "__main__":  # trials are trained in processes of their own
    study = muslin.sweep(
        {
            "method": "bayes",
            "metric": {"name": "val_accuracy", "goal": "maximize"},
            "early_terminate": {"type": "hyperband", "min_iter": 3},
            "parameters": {
                "dataset": {"value": "digits"},
                "epochs": {"value": EPOCHS},
                "hidden_layers": {"values": [1, 2]},
                "hidden_size": {"values": [16, 32, 64]},
                "activation": {"values": ["relu", "tanh", "gelu"]},
                "learning_rate": {"distribution": "log_uniform_values", "min": 0.0003, "max": 0.03},
            },
        },
        name="sweep_of_digits",
        count=TRIALS,
    )
    print(study.frame().sort_values("val_accuracy", ascending=False).head(5).to_string(index=False))
    print("best      ", {name: study.best.config[name] for name in ("hidden_size", "activation", "learning_rate")})
    print(f"value      {study.best.value:.3f}, {len(study.trials)} trials in {study.path}")
