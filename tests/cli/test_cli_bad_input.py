"""Bad input of every kind: exit code 2, one line that says what is wrong, and nothing left behind."""

import gzip
import os
import shlex
import shutil

import numpy as np
import pytest
from PIL import Image
from toys import bars, files

from muslin.files import write_json

X, Y = bars(30, 0)
FLOATS = X / np.float32(255)
NAN = FLOATS.copy()
NAN[3, 0, 0] = np.nan


def npz(**arrays):
    return lambda path: np.savez(path, **arrays)


def text(contents):
    return lambda path: path.write_text(contents)


def idx(magic=2051, cut=0, labels=30):
    """A folder of four IDX files, the first with that magic number and that many bytes short."""

    def write(path):
        path.mkdir()
        for name in ("train", "t10k"):
            images = magic.to_bytes(4, "big") + b"".join(n.to_bytes(4, "big") for n in X.shape) + X.tobytes()
            (path / f"{name}-images-idx3-ubyte").write_bytes(images[: len(images) - cut])
            y = (2049).to_bytes(4, "big") + labels.to_bytes(4, "big") + Y[:labels].astype(np.uint8).tobytes()
            (path / f"{name}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(y))

    return write


def picture(array):
    return lambda path: Image.fromarray(np.asarray(array, np.uint8)).save(path)


#: a file that a command below names → what makes it
FILES = {
    "no_X.npz": npz(y=Y),
    "no_y.npz": npz(X=X),
    "text.npz": npz(X=X.astype(str), y=Y),
    "objects.npz": npz(X=np.array([{}] * 30), y=Y),
    "nan.npz": npz(X=NAN, y=Y),
    "inf.npz": npz(X=np.where(FLOATS > 0.9, np.inf, FLOATS), y=Y),
    "empty.npz": npz(X=X[:0], y=Y[:0]),
    "no_features.npz": npz(X=X.reshape(30, -1)[:, :0], y=Y),
    "4d.npz": npz(X=X[..., None], y=Y),
    "one_class.npz": npz(X=X, y=Y * 0),
    "gap.npz": npz(X=X, y=Y * 2),
    "negative.npz": npz(X=X, y=Y - 1),
    "floating_y.npz": npz(X=X, y=np.r_[np.arange(29) / 2, np.nan]),
    "one_hot.npz": npz(X=X, y=np.eye(3, dtype=int)[Y][:, :, None]),
    "longer.npz": npz(X=X, y=Y[:-1]),
    "half_test.npz": npz(X=X, y=Y, X_test=X),
    "other_test.npz": npz(X=X, y=Y, X_test=X[:, 1:], y_test=Y),
    "unknown_label.npz": npz(X=X, y=Y, X_test=X, y_test=Y + 1),
    "few_names.npz": npz(X=X, y=Y, class_names=np.array(["a", "b"])),
    "no_test.npz": npz(X=X, y=Y),
    "cut.npz": lambda path: (np.savez(path, X=X, y=Y), path.write_bytes(path.read_bytes()[:500])),
    "text_file.npz": text("X, y"),
    "flat.npz": npz(X=X.reshape(30, -1)[:, :9], y=Y),
    "magic": idx(magic=1234),
    "short": idx(cut=1),
    "few_labels": idx(labels=29),
    "nothing": lambda path: path.mkdir(),
    "bad.yaml": text("epochs: 3\n bad: ["),
    "list.yaml": text("[epochs, 3]"),
    "empty.yaml": text(""),
    "key.yaml": text("epochss: 3"),
    "number.yaml": text("3: 3"),
    "value.yaml": text("epochs: 0"),
    "true.yaml": text("epochs: true"),
    "null.yaml": text("hidden_size: null"),
    "trailing.json": text('{"epochs": 3,}'),
    "binary.yaml": lambda path: path.write_bytes(b"\xff\xfe\x00"),
    "a_file": text("not a folder"),
    "a.txt": text("not a picture"),
    "blank.png": picture(np.full((60, 40), 255)),
    "bar.png": picture(np.pad(np.full((50, 10), 255), 20)),
}


def pipe(path):
    os.mkfifo(path)


def zero(path):
    path.symlink_to("/dev/zero")


def large_picture(path):
    Image.new("1", (13_000, 13_000)).save(path)


#: lists in lists, as JSON and as YAML; aliases that stand for 10⁶ values
DEEP = "[" * 100_000
BOMB = "\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 7))])
FILES |= {
    "bool.yaml": text('epochs: !!bool "x"'),
    "int.yaml": text('epochs: !!int ""'),
    "time.yaml": text('epochs: !!timestamp "foo"'),
    "bomb.yaml": text(BOMB),
    "itself.yaml": text("epochs: &a [*a]"),
    "deep.yaml": text("epochs: " + "[" * 150 + "]" * 150),
    "deep.json": text(DEEP),
    "escape.yaml": text('epochs: "\\e[31mred"'),
    "long.yaml": text(f"optimizer: {'x' * 100_000}"),
    "digits.yaml": text(f"hidden_layers: {'9' * 400}"),
    "pipe.yaml": pipe,
    "pipe.npz": pipe,
    "pipe.png": pipe,
    "zero.yaml": zero,
    "zero.npz": zero,
    "zero.png": zero,
    "a.pipe": pipe,
    "void.npz": npz(X=X, y=Y, class_names=np.zeros(3, "V4")),
    "latin.npz": npz(X=X, y=Y, class_names=np.array([b"\xe9", b"b", b"c"])),
    "wide.npz": npz(X=np.zeros((30, 784), np.uint8), y=Y),
    "eps.png": text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 50\nshowpage\n"),
    "large.png": large_picture,
    "tiff.png": text("II*\0\x08\0\0\0damaged"),
}


def unfinished(path):
    (path / "summary.json").unlink()


def without_checkpoint(path):
    unfinished(path)
    (path / "checkpoint.safetensors").write_bytes(b"checkpoint")


def changed(**settings):
    from muslin.files import read_json

    return lambda path: write_json(path / "config.json", read_json(path / "config.json") | settings)


def of_another_set(path):
    np.savez(path.parent / "other.npz", X=X, y=Y)
    changed(dataset=str(path.parent / "other.npz"))(path)


def of_another_network(path):
    from muslin import FeedForwardNeuralNetwork

    FeedForwardNeuralNetwork([9, 4, 3]).save(path / "model.safetensors")


#: a run that a command below names → what is done to a finished one
RUNS = {
    "taken": lambda path: None,
    "unfinished": unfinished,
    "not_a_run": lambda path: (path / "config.json").unlink(),
    "bad_config": lambda path: (path / "config.json").write_text("{"),
    "list_config": lambda path: (path / "config.json").write_text("[]"),
    "empty_config": lambda path: (path / "config.json").write_text("{}"),
    "wrong_config": changed(activation="rleu"),
    "bad_summary": lambda path: (path / "summary.json").write_text("[]"),
    "bad_model": lambda path: (path / "model.safetensors").write_bytes(b"model"),
    "cut_model": lambda path: os.truncate(path / "model.safetensors", 900),
    "no_model": lambda path: (path / "model.safetensors").unlink(),
    "other_model": of_another_network,
    "bad_checkpoint": without_checkpoint,
    "moved_data": changed(dataset="gone.npz"),
    "other_data": of_another_set,
}


def edited(file, change, *, finished=True):
    """What is read of a run's file is changed by hand, and its digest made anew."""

    def write(path):
        from muslin.files import read_json, read_json_lines, write_json_lines

        if not finished:
            unfinished(path)
        if file.endswith("l"):
            rows = read_json_lines(path / file)
            change(rows[0])
            write_json_lines(path / file, rows)
        else:
            facts = read_json(path / file)
            change(facts)
            write_json(path / file, facts)

    return write


def state(**changes):
    """The checkpoint of an unfinished run, with another state; an item that is ... is left out of each row."""

    def write(path):
        from muslin.files import read_tensors, write_tensors

        unfinished(path)
        tensors, metadata = read_tensors(path / "checkpoint.safetensors", "checkpoint")
        write_tensors(path / "checkpoint.safetensors", tensors, metadata | {"state": metadata["state"] | changes})

    return write


RUNS |= {
    "deep_config": lambda path: (path / "config.json").write_text(DEEP),
    "deep_summary": lambda path: (path / "summary.json").write_text(DEEP),
    "deep_history": lambda path: (path / "history.jsonl").write_text(DEEP),
    "null_config": lambda path: (path / "config.json").write_text("null"),
    "null_summary": lambda path: (path / "summary.json").write_text("null"),
    "number_rows": lambda path: (path / "history.jsonl").write_text("1\n2\n"),
    "no_epoch": edited("history.jsonl", lambda row: row.pop("epoch")),
    "text_loss": edited("history.jsonl", lambda row: row.update(loss="low")),
    "checksums": edited("config.json", lambda facts: facts.update(data_checksums=3)),
    "versions": edited("config.json", lambda facts: facts.update(versions="x")),
    "machine": edited("config.json", lambda facts: facts.update(machine=[])),
    "text_epoch": state(epoch="3"),
    "list_epoch": state(epoch=[3]),
    "null_epoch": state(epoch=None),
    "negative_epoch": state(epoch=-3),
    "no_history": state(history=[]),
    "renamed_key": state(epoch=2, history=[{"epoch": 1, "lossy": 1}, {"epoch": 2, "lossy": 1}]),
    "pipe_config": lambda path: ((path / "config.json").unlink(), pipe(path / "config.json")),
    "zero_model": lambda path: ((path / "model.safetensors").unlink(), zero(path / "model.safetensors")),
}

WHOLE = "it must be a whole number from 1"
TRAIN = "train -d toy.npz -b 8 "

#: command → what its one line says
BAD = {
    # the line that was typed
    "trian": "No such command 'trian'. Did you mean 'train', 'transfer'?; see: muslin --help",
    "--bogus": "No such option: --bogus",
    "train --bogus": "No such option: --bogus (Possible options: --loss); see: muslin train --help",
    "train extra": "unexpected extra argument",
    "train --epochs": "Option '--epochs' requires an argument",
    "evaluate": "Missing argument 'RUN'; see: muslin evaluate --help",
    "predict taken": "Missing argument 'FILE",
    "predict taken bar.png --top 0": "Invalid value for '--top'",
    "predict taken bar.png --top many": "Invalid value for '--top'",
    # settings
    TRAIN + "-e 0": f"epochs is '0'; {WHOLE}.",
    TRAIN + "-e ten": f"epochs is 'ten'; {WHOLE}.",
    TRAIN + "-e 1.5": f"epochs is '1.5'; {WHOLE}.",
    TRAIN + "-b 0": f"batch_size is '0'; {WHOLE}.",
    TRAIN + "-b 109": "batch_size is 109, more than the 108 training samples; it must be 1 to 108.",
    TRAIN + "--learning-rate=-1": "learning_rate is '-1'; it must be a positive number.",
    TRAIN + "--learning-rate nan": "learning_rate is 'nan'; it must be a positive number.",
    TRAIN + "-o adma": "Unknown optimizer 'adma'; choose from adagrad, adam,",
    TRAIN + "-a rleu": "Unknown activation 'rleu'; choose from elu, gelu,",
    TRAIN + "-l hinge": "Unknown loss 'hinge'; choose from cross_entropy, half_squared_error, huber,",
    TRAIN + "--initializer ones": "Unknown initializer 'ones'; choose from he, he_uniform, random,",
    TRAIN + "--schedule lineal": "Unknown schedule 'lineal'; choose from constant, cosine,",
    TRAIN + "--engine gpu": "Unknown engine 'gpu'; choose from auto, numba, numpy.",
    TRAIN + "--dtype float16": "Unknown dtype 'float16'; choose from float32, float64.",
    TRAIN + "--hidden-size abc": "hidden_size is 'abc'; it must be a whole number from 1, or one for each",
    TRAIN + "--hidden-size 8,8 --hidden-layers 3": "hidden_size lists 2 layers, hidden_layers is 3; give one of them.",
    TRAIN + "--hidden-size 10000000": "A network of 200,000,700,000,003 parameters does not fit into memory",
    TRAIN + "--hidden-size 10000000000": "parameters does not fit into memory",
    TRAIN + "--hidden-layers=-1": "hidden_layers is '-1'; it must be a whole number from 0 to 1000.",
    TRAIN + "--dropout 1.5": "dropout is '1.5'; it must be at least 0 and below 1.",
    TRAIN + "--weight-decay=-1": "weight_decay is '-1'; it must be a number from 0.",
    TRAIN + "--momentum 1": "momentum is '1'; it must be at least 0 and below 1.",
    TRAIN + "--warmup 10": "warmup is 10.0 of 10 epochs; it must be fewer than epochs.",
    TRAIN + "--label-smoothing 0.1 -l mse": "label_smoothing is for the loss cross_entropy of softmax; it must be 0",
    TRAIN + "--patience 2 --monitor f1": "Unknown figure to monitor 'f1'; choose from accuracy, loss, val_accuracy,",
    TRAIN + "--patience 2 --monitor val_loss --validation 0": "monitor 'val_loss'; choose from accuracy, loss.",
    TRAIN + "--monitor loss": "monitor is the figure that early stopping watches; it needs patience too.",
    "blackboard --formulas a.txt": "a.txt is no Python file; --formulas takes one whose name ends in .py.",
    TRAIN + "--patience 0": "patience is '0'; it must be a whole number of epochs from 1",
    TRAIN + "--threads 0": "threads is '0'; it must be a whole number from 1 to 1024.",
    TRAIN + "--seed=-1": "seed is '-1'; it must be a whole number from 0.",
    TRAIN
    + "--validation 1.5": "validation is '1.5'; it must be a share from 0 to below 1, or a whole number of samples.",
    TRAIN
    + "--validation 120": "validation is 120; it must be a fraction, 0 ≤ fraction < 1, or a number of samples from",
    TRAIN + "--validation all": "validation is 'all'; it must be a share from 0 to below 1, or a whole number",
    # config files
    TRAIN + "--config gone.yaml": "There is no config file gone.yaml.",
    TRAIN + f"--config {'x' * 1000}": "xxx: File name too long.",
    TRAIN + "--config nothing": "Cannot read the config file nothing: it is a folder, not a regular file.",
    TRAIN + "--config bad.yaml": "bad.yaml, line 2: not valid YAML or JSON.",
    TRAIN + "--config binary.yaml": "binary.yaml: not valid YAML or JSON.",
    TRAIN + "--config trailing.json": "trailing.json, line 1: not valid YAML or JSON.",
    TRAIN + "--config list.yaml": "list.yaml must hold settings, a line each, such as 'learning_rate: 0.001'.",
    TRAIN + "--config empty.yaml": "empty.yaml must hold settings, a line each",
    TRAIN + "--config key.yaml": "Unknown setting 'epochss'; choose from activation, batch_size,",
    TRAIN + "--config number.yaml": "Unknown setting '3'; choose from activation, batch_size,",
    TRAIN + "--config value.yaml": f"epochs is 0; {WHOLE}.",
    TRAIN + "--config true.yaml": f"epochs is True; {WHOLE}.",
    TRAIN + "--config null.yaml": "hidden_size is None; it must be a whole number from 1, or one for each",
    # data
    "train -d gone.npz": "Unknown data set or path 'gone.npz'; choose from digits, fashion_mnist, mnist.",
    "train -d fashion_mnist --data-dir gone": "gone is not a folder.",
    "train -d mnist --data-dir nothing": "nothing has none of train-images-idx3-ubyte",
    "train -d no_X.npz": "no_X.npz holds y; X and y are needed (or x_train and y_train).",
    "train -d no_y.npz": "no_y.npz holds X; X and y are needed (or x_train and y_train).",
    "train -d text.npz": "text.npz: X holds <U3; it must hold uint8 (0 to 255) or floating point.",
    "train -d objects.npz": "objects.npz is damaged or no .npz of plain arrays; np.savez writes a right one.",
    "train -d nan.npz": "nan.npz: X holds NaN or infinity, first in sample 3; values must be finite in float32.",
    "train -d inf.npz": "inf.npz: X holds NaN or infinity",
    "train -d empty.npz": "empty.npz: X is empty, of shape (0, 8, 8); at least one sample and one feature is needed.",
    "train -d no_features.npz": "no_features.npz: X is empty, of shape (30, 0)",
    "train -d 4d.npz": "4d.npz: X has shape (30, 8, 8, 1); it must be (samples, features) or (samples, rows, columns).",
    "train -d one_class.npz": "one_class.npz: y has one class only, 0; at least two are needed.",
    "train -d gap.npz": "gap.npz: y's labels are 0, 2, 4; they must be 0 to 2 without gaps, or texts (of numbers",
    "train -d negative.npz": "negative.npz: y's labels are -1, 0, 1; they must be 0 to 2 without gaps, or texts",
    "train -d floating_y.npz": "floating_y.npz: y holds NaN or infinity, first in sample 29",
    "train -d one_hot.npz": "one_hot.npz: y has shape (30, 3, 1); it must be (samples,) or (samples, outputs).",
    "train -d gap.npz --task guess": "Unknown task 'guess'; choose from classification, regression.",
    "train -d digits --task regression": "target, drop, task, test and encoding are for tables (such as .csv)",
    "train -d longer.npz": "longer.npz: X has 30 samples but 29 labels; it must be one label a sample.",
    "train -d half_test.npz": "half_test.npz holds only one of X_test and y_test; it must hold both or neither.",
    "train -d other_test.npz": "X_test has 56 features of uint8; it must have 64 features of uint8, as X has.",
    "train -d unknown_label.npz": "unknown_label.npz: y_test's labels are 1 to 3; they must be 0 to 2, as in y.",
    "train -d few_names.npz": "few_names.npz: class_names has shape (2,); it must be 3 names, as y has classes.",
    "train -d no_test.npz --evaluate -b 8": "The data set no_test has no test part; an .npz needs X_test and y_test",
    "train -d cut.npz": "cut.npz is damaged or no .npz of plain arrays",
    "train -d text_file.npz": "text_file.npz is damaged or no .npz of plain arrays",
    "train -d magic": "magic/train-images-idx3-ubyte has the IDX magic number 1234; it must be 2051",
    "train -d short": "short/train-images-idx3-ubyte does not fit its header, 30 × 8 × 8 = 1,920 bytes",
    "train -d few_labels": "few_labels: X has 30 samples but 29 labels",
    "train -d nothing": "nothing lacks train-images-idx3-ubyte",
    "data gone": "Unknown data set or path 'gone'; choose from digits, fashion_mnist, mnist.",
    "samples -d flat.npz": "The samples of flat are not images; there is nothing to draw.",
    "samples -d toy.npz --out a_file/a.png": "Cannot write a_file/a.png: ",
    "samples -d toy.npz --out a.jpg": "--out is a.jpg; it must end in .png.",
    "samples -d toy.npz --seed=-1": "Invalid value for '--seed'",
    # run directories
    TRAIN + "--name ''": "The run name '' has no letter or digit that a folder's name could be made of.",
    TRAIN + "--name ../..": "The run name '../..' has no letter or digit",
    TRAIN
    + "--name taken --runs-dir .": "There is a run taken already; choose another --name, or go on with it: muslin",
    TRAIN + "--runs-dir a_file": "Not a directory; --runs-dir must be a folder to write to.",
    "train --resume gone": "There is no run directory gone.",
    "train --resume not_a_run": "not_a_run is not a run directory: it has no config.json.",
    "train --resume taken -b 20": "--resume can change epochs and patience, not batch_size; start a new run.",
    "train --resume taken --name other": "--resume takes a run as it is",
    "train --resume bad_config": "bad_config/config.json is not valid JSON",
    "train --resume empty_config": "empty_config/config.json is damaged: name is missing.",
    "train --resume bad_checkpoint": "checkpoint.safetensors is not a checkpoint that muslin wrote, or it is damaged.",
    "train --resume moved_data": "Unknown data set or path 'gone.npz'",
    "train --resume other_data": "other.npz is not the one that other_data was trained on.",
    "evaluate gone": "There is no run directory gone.",
    "evaluate toy.npz": "There is no run directory toy.npz.",
    "evaluate not_a_run": "not_a_run is not a run directory: it has no config.json.",
    "evaluate unfinished": "unfinished has not finished training; go on with: muslin train --resume unfinished",
    "evaluate bad_config": "bad_config/config.json is not valid JSON",
    "evaluate list_config": "list_config/config.json is damaged",
    "evaluate wrong_config": "Unknown activation 'rleu'",
    "evaluate bad_summary": "bad_summary/summary.json is damaged",
    "evaluate bad_model": "bad_model/model.safetensors is not a model file that muslin wrote, or it is damaged.",
    "evaluate cut_model": "cut_model/model.safetensors is damaged: its content is not what its digest stands for",
    "evaluate no_model": "There is no model file no_model/model.safetensors.",
    "evaluate other_model": "The model in other_model has 9 inputs and 3 classes; the data set toy has 64 and 3.",
    "evaluate other_data": "other.npz is not the one that other_data was trained on.",
    # pictures
    "predict taken bar.png --out said.csv": "--out is for tables; of pictures the predictions are printed.",
    "evaluate taken a.csv": "taken was trained on ",
    "export taken -o a.txt": "--output is a.txt; it must end in .onnx.",
    "export taken --to torch -o a.onnx": "--output is a.onnx; it must end in .safetensors.",
    "ensemble taken --temperature hot": "temperature is 'hot'; it must be fit, or a number from ",
    "predict taken gone.png": "There is no picture gone.png.",
    "predict taken a.txt": "a.txt is not a picture that can be read; give a PNG or JPEG file.",
    "predict taken nothing": "Cannot read the picture nothing: it is a folder",
    "predict taken bar.png blank.png": "blank.png is blank; a picture must show something.",
    "predict unfinished bar.png": "unfinished has not finished training",
    "predict other_model bar.png": "The model in other_model has 9 inputs",
    # files of strangers
    TRAIN + "--config bool.yaml": "bool.yaml: not valid YAML or JSON.",
    TRAIN + "--config int.yaml": "int.yaml: not valid YAML or JSON.",
    TRAIN + "--config time.yaml": "time.yaml: not valid YAML or JSON.",
    TRAIN + "--config bomb.yaml": "bomb.yaml stands for ",
    TRAIN + "--config itself.yaml": "itself.yaml has lists or objects nested deeper than 100 levels.",
    TRAIN + "--config deep.yaml": "deep.yaml has lists or objects nested deeper than 100 levels.",
    TRAIN + "--config deep.json": "deep.json: not valid YAML or JSON.",
    TRAIN + "--config escape.yaml": f"epochs is '\\x1b[31mred'; {WHOLE}.",
    TRAIN + "--config long.yaml": "Unknown optimizer 'xxx",
    TRAIN + "--config digits.yaml": "hidden_layers is a whole number of about 400 digits; it must be",
    TRAIN + "--config pipe.yaml": "Cannot read the config file pipe.yaml: it is a device, a pipe or a socket",
    TRAIN + "--config zero.yaml": "Cannot read the config file zero.yaml: it is a device, a pipe or a socket",
    TRAIN + f"--hidden-layers {10**30}": "it must be a whole number from 0 to 1000.",
    TRAIN + "--validation 1.0": "validation is '1.0'; it must be a share from 0 to below 1",
    "train -d ~nosuch/x": "~nosuch/x: there is no such home folder.",
    "train -d mnist --data-dir ~nosuch/x": "~nosuch/x: there is no such home folder.",
    f"data {'x' * 1000}": "Unknown data set or path 'xxx",
    f"evaluate {'x' * 1000}": "xxx': File name too long.",
    "data pipe.npz": "Cannot read the data set pipe.npz: it is a device, a pipe or a socket",
    "data zero.npz": "Cannot read the data set zero.npz: it is a device, a pipe or a socket",
    "data void.npz": "void.npz: class_names holds |V4; it must hold texts, in UTF-8.",
    "data latin.npz": "latin.npz: class_names holds |S1; it must hold texts, in UTF-8.",
    "samples -d wide.npz": "The samples of wide are not images",
    "predict taken pipe.png": "Cannot read the picture pipe.png: it is a device, a pipe or a socket",
    "predict taken zero.png": "Cannot read the picture zero.png: it is a device, a pipe or a socket",
    "predict taken eps.png": "eps.png is not a picture that can be read; give a PNG or JPEG file.",
    "predict taken tiff.png": "tiff.png is not a picture that can be read; give a PNG or JPEG file.",
    "predict taken large.png": "large.png has 13,000 × 13,000 pixels; at most",
    "train --resume pipe_config": "config.json: it is a device, a pipe or a socket",
    "evaluate zero_model": "model.safetensors: it is a device, a pipe or a socket",
    "evaluate deep_config": "nested deeper than 100 levels",
    "evaluate deep_summary": "nested deeper than 100 levels",
    "compare deep_config": "nested deeper than 100 levels",
    "report deep_history": "nested deeper than 100 levels",
    "compare null_config": "null_config/config.json is damaged: it holds None where an object must be.",
    "compare null_summary": "null_summary/summary.json is damaged: it holds None where an object must be.",
    "compare number_rows --png a.png": "history.jsonl is damaged: it holds 1 where an object must be.",
    "report number_rows": "history.jsonl is damaged: it holds 1 where an object must be.",
    "report null_summary": "null_summary/summary.json is damaged",
    "report no_epoch": "no_epoch/history.jsonl is damaged: epoch is missing.",
    "report text_loss": "text_loss/history.jsonl is damaged: loss is 'low'; it must be a valid number.",
    "compare checksums": "checksums/config.json is damaged: data_checksums is 3; it must be a valid dictionary.",
    "report versions": "versions/config.json is damaged: versions is 'x'; it must be a valid dictionary.",
    "report machine": "machine/config.json is damaged: machine is []",
    "train --resume text_epoch": "text_epoch/checkpoint.safetensors is not a checkpoint that muslin wrote, or it is",
    "train --resume list_epoch": "list_epoch/checkpoint.safetensors is not a checkpoint",
    "train --resume null_epoch": "null_epoch/checkpoint.safetensors is not a checkpoint",
    "train --resume negative_epoch": "negative_epoch/checkpoint.safetensors is not a checkpoint",
    "train --resume no_history": "no_history/checkpoint.safetensors is not a checkpoint",
    "train --resume renamed_key": "renamed_key/checkpoint.safetensors is not a checkpoint",
    # paths to write to
    "report taken -o ''": "Cannot write ",
    "report taken -o .": "Cannot write ",
    "report taken -o /": "Cannot write ",
    "report taken -o nothing": "Cannot write nothing: it is no regular file, and is not replaced.",
    "report taken -o a.pipe": "Cannot write a.pipe: it is no regular file, and is not replaced.",
    "report taken -o /dev/full": "Cannot write /dev/full: it is no regular file, and is not replaced.",
    "playground taken -o a.pipe": "Cannot write a.pipe: it is no regular file",
    "playground taken -o ''": "Cannot write ",
    "compare taken --html /dev/null": "Cannot write /dev/null: it is no regular file",
    "compare taken --html ''": "Cannot write ",
    "compare taken --png a.pipe": "Cannot write a.pipe: it is no regular file",
    "transfer taken --to toy.npz --name ..": "The transfer name '..' has no letter or digit",
    "study loss --name /": "The study name '/' has no letter or digit",
    "watch taken --no-open --host 'a b\udcff'": "it is no name of a host.",
    # the gradient check
    "gradcheck -a rleu": "Unknown activation 'rleu'; choose from elu, gelu,",
    "gradcheck -l hinge": "Unknown loss 'hinge'; choose from cross_entropy, half_squared_error, huber,",
    "gradcheck --hidden-size 3,x": "hidden_size is '3,x'; it must be a whole number from 1",
}


@pytest.fixture
def prepared(alone, toy, finished):
    """Makes what a command names, and nothing else."""

    def prepare(words):
        shutil.copy(toy, "toy.npz")
        for word in words:
            if word in FILES:
                FILES[word](alone / word)
            elif word.partition("/")[0] in FILES:
                FILES[word.partition("/")[0]](alone / word.partition("/")[0])
            if word in RUNS:
                RUNS[word](alone / shutil.copytree(finished.path, word))
        return files(alone)

    return prepare


@pytest.mark.parametrize("command", BAD, ids=lambda command: command[:60].replace("/", "|"))
def test_one_line_and_nothing_left_behind(command, prepared, muslin, alone):
    words = shlex.split(command)
    before = prepared(words)
    code, out, err = muslin(*words)
    assert (code, out) == (2, "")
    assert err.startswith("muslin: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert BAD[command] in err
    assert "Traceback" not in err
    assert files(alone) == before


@pytest.mark.parametrize("command", ["train -d gone.npz", "evaluate bad_model", TRAIN + "-e 0", "trian"])
def test_json_changes_nothing_of_that(command, prepared, muslin):
    words = shlex.split(command)
    prepared(words)
    code, out, err = muslin(*words, "--json")
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_every_file_and_run_is_used():
    words = {part for command in BAD for word in shlex.split(command) for part in (word, word.partition("/")[0])}
    assert FILES.keys() | RUNS.keys() <= words


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_runs_dir_that_cannot_be_written(prepared, muslin, alone):
    prepared([])
    (alone / "locked").mkdir(mode=0o500)
    code, out, err = muslin(*shlex.split(TRAIN), "--runs-dir", "locked")
    assert (code, out) == (2, "")
    assert err.endswith("Permission denied; --runs-dir must be a folder to write to.\n")


@pytest.mark.parametrize("flags", ["--learning-rate 1e9 -a relu", "-o sgd --learning-rate 1e39 -a relu --engine numpy"])
def test_training_that_diverges(flags, prepared, muslin, alone):
    prepared([])
    code, out, err = muslin(*shlex.split(TRAIN + flags), "--name", "wild")
    assert (code, out) == (2, "")
    assert err.startswith("muslin: Training diverged in epoch 1, step ")
    assert "Try a learning rate ten times smaller, clip_norm 1, or another initializer." in err
    assert err.count("\n") == 1
    assert not (alone / "runs" / "wild" / "summary.json").exists()


def test_a_full_disk(prepared, muslin, alone, monkeypatch):
    from muslin import files as muslin_files

    prepared([])

    def full(handle):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(muslin_files.os, "fsync", full)
        code, out, err = muslin(*shlex.split(TRAIN), "--name", "full")
    assert (code, out) == (2, "")
    assert err == "muslin: Cannot make the run directory runs/full: No space left on device.\n"
    assert not [path for path in (alone / "runs").rglob("*") if path.is_file()]
    assert muslin(*shlex.split(TRAIN), "-e", "1", "--name", "full").code == 0  # what it left is free
