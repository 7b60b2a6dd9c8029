"""Cross-validation and a grid, by scikit-learn's own tools.

`MuslinClassifier` takes every parameter of `MLPClassifier`, and more. The scaler stands in the pipeline, so that each
fold is scaled by its training part alone.
"""

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from muslin.estimators import MuslinClassifier

EPOCHS = 500  # at most: training ends when the loss stands still
FOLDS = 5

X, y = load_breast_cancer(return_X_y=True)
folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)


def pipeline(classifier):
    return make_pipeline(StandardScaler(), classifier)


settings = {"hidden_layer_sizes": (32,), "learning_rate_init": 0.01, "max_iter": EPOCHS, "random_state": 0}
for name, classifier in {"muslin": MuslinClassifier(**settings), "sklearn": MLPClassifier(**settings)}.items():
    scores = cross_val_score(pipeline(classifier), X, y, cv=folds)
    print(f"{name:9}  {scores.mean():.4f} ± {scores.std():.4f}")

model = pipeline(MuslinClassifier(**settings, solver="nadam"))
grid = GridSearchCV(model, {"muslinclassifier__dropout": [0.0, 0.3], "muslinclassifier__alpha": [1e-4, 1e-1]}, cv=folds)
grid.fit(X, y)
print(f"best       {grid.best_score_:.4f} with {grid.best_params_}")
