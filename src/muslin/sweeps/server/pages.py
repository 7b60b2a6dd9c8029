class Pages:
    def __init__(self, desk): self.desk=desk
    def missing(self, path, nonce): return "missing"
    def projects(self, request, nonce): return "projects"
    project=run=sweep=projects
    def run_news(self, request, nonce): return {}
    sweep_news=run_news
    def plotly(self): return ""
