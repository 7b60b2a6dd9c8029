// Keeps a page up to date while its directory changes. Once a second it asks for what is new and puts it in the place of
// what is old; what a script or the reader has made of the page (zoom, brush, order of a table) stays. A page that has
// got other parts is loaded anew, for the sake of its scripts.
{
  let { version, news: address } = document.currentScript.dataset;
  let shown = document.documentElement.cloneNode(true); // as it was sent: no other script has run yet

  const note = document.createElement("aside");
  note.className = "live";
  note.setAttribute("aria-label", "What is going on");
  document.querySelector("header").after(note);

  const key = (node) => node.id || node.dataset?.id;
  const styles = (page) => [...page.querySelectorAll("head > style")];
  const parts = (page) => [...page.querySelectorAll("main [id]"), ...styles(page)].map((node) => node.id).join();
  const keyed = (node) => node.children.length > 0 && [...node.children].every(key);

  // Make of `live`, a node of the page that was sent as `shown`, what is now sent as `fresh`.
  function update(live, shown, fresh) {
    if (shown.isEqualNode(fresh)) return;
    if (shown.nodeType !== Node.ELEMENT_NODE) {
      live.nodeValue = fresh.nodeValue;
      return;
    }
    for (const { name } of shown.attributes) if (!fresh.hasAttribute(name)) live.removeAttribute(name);
    for (const { name, value } of fresh.attributes) {
      if (shown.getAttribute(name) !== value) live.setAttribute(name, value);
    }
    if (keyed(shown) && keyed(fresh)) updateKeyed(live, shown, fresh);
    else if (alike(live, shown) && alike(shown, fresh)) {
      const before = [...live.childNodes];
      fresh.childNodes.forEach((node, i) => update(before[i], shown.childNodes[i], node));
    } else if (shown.innerHTML !== fresh.innerHTML) live.replaceChildren(...fresh.cloneNode(true).childNodes);
  }

  const kinds = (parent) => [...parent.childNodes].map((node) => node.nodeName).join();
  const alike = (a, b) => kinds(a) === kinds(b);

  // Rows that have names keep the order that the reader gave them; new ones come last.
  function updateKeyed(live, shown, fresh) {
    const byKey = (parent) => new Map([...parent.children].map((node) => [key(node), node]));
    const [now, before, after] = [byKey(live), byKey(shown), byKey(fresh)];
    for (const [name, node] of now) if (!after.has(name)) node.remove();
    for (const [name, node] of after) {
      if (now.has(name) && before.has(name)) update(now.get(name), before.get(name), node);
      else live.append(node.cloneNode(true));
    }
  }

  function show(source) {
    const fresh = new DOMParser().parseFromString(source, "text/html").documentElement;
    if (parts(fresh) !== parts(shown)) return location.reload();
    const [sprites, before] = [styles(document), styles(shown)]; // the images of a page are in its style sheets
    styles(fresh).forEach((node, i) => update(sprites[i], before[i], node));
    update(document.querySelector("main"), shown.querySelector("main"), fresh.querySelector("main"));
    shown = fresh;
    if (typeof drawCharts === "function") drawCharts();
    document.dispatchEvent(new Event("update"));
  }

  async function look() {
    const answer = await fetch(`${address}?version=${version}`).catch(() => null);
    if (answer?.ok) {
      const news = await answer.json();
      version = news.version;
      note.textContent = news.status;
      if (news.page) show(news.page);
    } else note.textContent = "muslin does not answer; this is the last that it showed.";
    setTimeout(look, document.hidden ? 5000 : 1000);
  }
  look();
}
