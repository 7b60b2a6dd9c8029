"""What the site has beside docs/: pages made from the code, and a page for each file that is linked."""

import posixpath
import re
from pathlib import Path

import gallery  # beside this file: mkdocs looks there
import licenses
import mathematics
from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
SHIM = "https://unpkg.com/iframe-worker/shim"

#: a link out of docs/: its path and, it may be, an anchor
OUT = re.compile(r"\]\(\.\./([^)#\s]*)(#[^)\s]*)?\)")


def on_files(files, config):
    """Adds the pages that are made."""
    linked = {
        path for page in (ROOT / "docs").glob("*.md") for path, _ in OUT.findall(page.read_text(encoding="utf-8"))
    }
    for path in sorted(linked):
        files.append(File.generated(config, uri(path), content=page(ROOT / path, path)))
    for made in (gallery, licenses, mathematics):
        files.append(File.generated(config, f"{made.__name__}.md", content=made.page()))
    return files


def on_post_page(output, page, config):
    """The search of a page in a folder: by assets/worker.js, not by a script of another server."""
    return output.replace(SHIM, posixpath.relpath("assets/worker.js", posixpath.dirname(page.url) or "."))


def on_post_template(output, template_name, config):
    return output.replace(SHIM, "/assets/worker.js")


def on_page_markdown(markdown, page, config, files):
    """Links out of docs/ lead to the pages of those files."""
    here = posixpath.dirname(page.file.src_uri)
    return OUT.sub(lambda link: f"]({posixpath.relpath(uri(link[1]), here or '.')}{link[2] or ''})", markdown)


def uri(path):
    """The page of a file of the project."""
    return f"source/{path.strip('/')}.md" if path != "README.md" else "source/readme.md"


def page(path, name):
    """A file as a page: Markdown as it is, but for its links, a folder as a list, anything else as code."""
    if path.is_dir():
        rows = "\n".join(f"- `{child.name}`" for child in sorted(path.iterdir()) if child.is_file())
        return f"# {name}\n\n{rows}\n"
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return re.sub(r"!?\[([^]]*)\]\((?!https?:)[^)]*\)", r"\1", text)
    if path.suffix == ".ipynb":
        return f"# {name}\n\nThe notebook `{name}` is in the project; Jupyter and Colab open it.\n"
    language = {".py": "python", ".yaml": "yaml", ".svg": "xml"}.get(path.suffix, "text")
    return f"# {name}\n\n````{language}\n{text}\n````\n"
