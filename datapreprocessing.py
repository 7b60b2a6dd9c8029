"""Draw one image of each class, as question 1 asks, and log it to W&B: ``python datapreprocessing.py --help``."""

from muslin.course.samples import main

if __name__ == "__main__":
    main()
