"""A stand-in for the wandb package in this process: what our code calls of it, and a record of what it is told. What
the package itself makes of such calls is in test_wandb.py, against a stub of its server."""


class Config(dict):
    def as_dict(self):
        return dict(self)


class Active:
    """A run. ``rows`` is what was logged, ``code`` how it ended, ``how`` the options that it was begun with."""

    def __init__(self, client, how):
        self.client, self.how, self.config = client, how, Config(client.config)
        self.rows, self.summary, self.step, self.code, self.name = [], {}, 0, None, None
        self.url = "https://wandb.test/run" if how.get("mode") != "offline" else None
        self.dir = f"{how.get('dir', '.')}/wandb/offline-run-1/files"

    def log(self, figures, step=None):
        if self.client.breaks is not None and step == self.client.breaks[0]:
            raise self.client.breaks[1]
        self.rows.append(figures)
        self.step = self.step if step is None else step + 1

    def finish(self, exit_code=0):
        self.code, self.client.run = exit_code, None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.finish(int(error[0] is not None))


class Client:
    """
    key        whether there is one, or the error of asking for it
    refuses    {mode: error} of runs that cannot begin
    breaks     (step, error): what logging that step raises
    trials     the configurations that an agent is given
    """

    def __init__(self):
        self.key, self.refuses, self.breaks, self.trials = True, {}, None, []
        self.config, self.run, self.runs, self.torn, self.sweeps, self.agents = {}, None, [], 0, [], []

    def login(self, prompt, verify):
        if isinstance(self.key, Exception):
            raise self.key
        return self.key

    def Settings(self, **options):
        return options

    def Image(self, data, caption=None):
        return "image", caption, data

    def init(self, **how):
        if error := self.refuses.get(how.get("mode")):
            raise error
        self.run = Active(self, how)
        self.runs.append(self.run)
        return self.run

    def finish(self, exit_code=0):
        self.run.finish(exit_code)

    def teardown(self):
        self.torn += 1

    def sweep(self, raw, project, entity):
        if error := self.refuses.get("sweep"):
            raise error
        print("Create sweep with ID: abc")
        self.sweeps.append((raw, project, entity))
        return "abc"

    def agent(self, number, function, **options):
        """As wandb's own, it ends where a run raises."""
        if error := self.refuses.get("agent"):
            raise error
        self.agents.append((number, options))
        for trial in self.trials:
            self.config = trial
            try:
                function()
            except Exception:
                return
