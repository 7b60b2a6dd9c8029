"""The data sets muslin knows by name: their files, checksums, mirrors and classes."""

from collections.abc import Mapping
from dataclasses import dataclass

FILES = {  # IDX file → number of dimensions
    "train-images-idx3-ubyte": 3,
    "train-labels-idx1-ubyte": 1,
    "t10k-images-idx3-ubyte": 3,
    "t10k-labels-idx1-ubyte": 1,
}


@dataclass(frozen=True)
class Entry:
    """One data set of four IDX files.

    checksums: file → SHA-256 of the decompressed payload, the same whichever mirror the file comes from.
    folders: the names its folder goes by inside a data folder, torchvision's among them.
    mirrors: addresses that end in /, to which `<file>.gz` is added. package: Debian's name for it, if it has one, and
    package_folder, where that package puts the files.
    """

    name: str
    title: str
    class_names: tuple[str, ...]
    checksums: Mapping[str, str]
    folders: tuple[str, ...]
    mirrors: tuple[str, ...]
    package: str = ""
    package_folder: str = ""


_ENTRIES = (
    Entry(
        name="fashion_mnist",
        title="Fashion-MNIST",
        class_names=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        checksums={
            "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
        folders=("fashion_mnist", "fashion-mnist", "FashionMNIST/raw"),
        mirrors=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        ),
        package="dataset-fashion-mnist",
        package_folder="usr/share/datasets/fashion-mnist",
    ),
    Entry(
        name="mnist",
        title="MNIST",
        class_names=tuple("0123456789"),
        checksums={
            "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
        folders=("mnist", "MNIST/raw"),
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
    ),
)

CATALOGUE: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}


def owner(checksum: str) -> str | None:
    """The title of the data set that a checksum belongs to, if it is a known one."""
    return next((entry.title for entry in CATALOGUE.values() if checksum in entry.checksums.values()), None)
