"""The pages in headless Chromium (Debian's package, driven by Playwright)."""

import pytest


def complains(message):
    """Whether the page reports an error; that the computer has no graphics card is none."""
    return message.type in ("error", "warning") and "GL Driver Message" not in message.text


@pytest.fixture
def open_page(chromium):
    """Opens a file or an address: ``open_page(path, width=1280, dark=False)``. The test fails if the page reports an
    error, or asks for anything from the network."""
    contexts, complaints = [], []

    def open_(address, width=1280, height=900, dark=False):
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: complaints.append(m.text) if complains(m) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        address = str(address)
        local = ("file:", "data:", "blob:", "http://127.0.0.1")
        page.on("request", lambda r: None if r.url.startswith(local) else complaints.append(f"asks for {r.url}"))
        page.goto(address if address.startswith("http") else f"file://{address}")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not complaints, complaints
