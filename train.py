"""Train one network with the arguments of the course's table: ``python train.py --help``."""

from muslin.course.train import main

if __name__ == "__main__":
    main()
