"""datapreprocessing.py: an image of each class, in a file and on W&B."""

from argparse import Namespace
from pathlib import Path

from muslin import datasets, tracking
from muslin.cli import exit_codes, samples
from muslin.course.arguments import Parser, add_wandb
from muslin.tracking import wandb_run


def main(argv: list[str] | None = None) -> None:
    """Draw, and exit as the commands do."""
    parser = Parser("datapreprocessing.py", description="Draw one image of each class.", allow_abbrev=False)
    add_wandb(parser)
    parser.add_argument("-d", "--dataset", default="fashion_mnist", metavar="X", help="fashion_mnist, mnist, digits, …")
    parser.add_argument("--data-dir", "--data_dir", metavar="PATH", help="folder that holds the data set's files")
    parser.add_argument("--out", type=Path, default=Path("samples.png"), metavar="PATH", help="the picture to write")
    parser.add_argument("--tracker", metavar="X", help="wandb (the default where there is a key), or none")
    with exit_codes():
        draw(parser.parse_args(argv))


def draw(arguments: Namespace) -> None:
    tracker = arguments.tracker or ("wandb" if wandb_run.online() else "none")
    tracking.check(tracker)
    samples.command(arguments.dataset, arguments.data_dir, arguments.out)
    if tracker.lower() == "wandb":
        data = datasets.load(arguments.dataset, data_dir=arguments.data_dir, quiet=True)
        wandb_run.log_samples(data, project=arguments.wandb_project, entity=arguments.wandb_entity)
