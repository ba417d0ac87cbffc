"""Looks at a console as people do: in Chromium, at phone and desktop size, with the keyboard and as a screen reader hears it;
and has axe, a checker of others', judge it by WCAG 2.1 A and AA and by its best practices.

Arguments: the console's address, a file for what was read off the pages, and a validator that must be shown as missing.
With the address alone it looks at the feeder's diagram, and at nothing else.
Talks to Chromium by its DevTools protocol. Exits 1 naming what is wrong. Times are printed, and never judged.
"""

import itertools
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

import axe_core_python
from websockets.sync.client import connect

ADDRESS, RESULT, MISSING = sys.argv[1], *(sys.argv[2:] or [None, None])
SIZES = {"phone": (390, 844, 3, True), "small phone": (320, 640, 2, True), "tablet": (820, 1180, 2, True),
         "desktop": (1440, 900, 1, False), "small desktop": (1100, 800, 1, False)}
# Against hanging for ever alone.
PATIENCE_S = 1800
AXE = pathlib.Path(axe_core_python.__file__).with_name("axe.min.js").read_text()
# Flags that keep Chromium itself from calling home.
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-default-apps --remote-debugging-port=0"
).split()
NAMED = {"link", "button", "combobox", "textbox", "searchbox", "radio", "checkbox", "image", "img", "region", "table",
         "DisclosureTriangle", "navigation"}
PLACES = {"pico_eur_per_wh": 6, "milliwatt": 6, "nano_eur": 9, "micro_pu": 6, "basis_points": 2, "millicelsius": 3}

# Every figure: what it stands for, and what is read.
FIGURES = """[...document.querySelectorAll('[data-exact]')].map((figure) => ({
  exact: figure.dataset.exact, unit: figure.dataset.unit,
  text: (figure.querySelector('.exact') || figure).textContent }))"""
# What Tab must come to: of radio buttons the chosen one.
STOPS = """[...document.querySelectorAll('a[href], button, select, input, summary, [tabindex="0"]')].filter((element) =>
  !element.disabled && element.checkVisibility() && !(element.type === 'radio' && !element.checked)).length"""
# Every text of the feeder's diagram and its box, the drawing's own box first.
TEXTS = """(() => { const svg = document.querySelector('.diagram svg');
  const box = (one) => { const { left, top, right, bottom } = one.getBoundingClientRect(); return [left, top, right, bottom]; };
  const bus = (text) => text.closest('a')?.dataset.key ?? null;
  return [box(svg), [...svg.querySelectorAll('text')].filter((text) => text.textContent.trim()).map((text) =>
    [text.textContent, bus(text), box(text)])]; })()"""
FOCUS = """(() => { const at = document.activeElement; if (!at || at === document.body) return null;
  window.tabbed.add(at); return [at.nodeName, at.matches(':focus-visible'), at.textContent.slice(0, 40)]; })()"""


def fail(words):
    sys.exit(f"WRONG: {words}")


class Browser:
    """Chromium, and one page of it."""

    def __init__(self):
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.process = subprocess.Popen(
            [chromium, *FLAGS, f"--user-data-dir={self.folder.name}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port_file = pathlib.Path(self.folder.name, "DevToolsActivePort")
        while not (port_file.exists() and port_file.read_text().strip()):
            time.sleep(0.1)
        port = port_file.read_text().split()[0]
        pages = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list"))
        page = next(page for page in pages if page["type"] == "page")
        self.socket = connect(page["webSocketDebuggerUrl"], max_size=None)
        self.numbers = itertools.count(1)
        self.wrong, self.asked = [], set()
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv(timeout=PATIENCE_S))
            if message.get("id") == number:
                if "error" in message:
                    fail(f"{method}: {message['error']}")
                return message["result"]
            self.event(message)

    def event(self, message):
        method, of = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.wrong.append(f"exception: {json.dumps(of['exceptionDetails'])[:600]}")
        elif method == "Runtime.consoleAPICalled" and of["type"] in ("error", "warning", "assert"):
            self.wrong.append(f"console.{of['type']}: {json.dumps(of['args'])[:600]}")
        elif method == "Log.entryAdded" and of["entry"]["level"] in ("error", "warning"):
            self.wrong.append(f"log: {of['entry']['text']} {of['entry'].get('url', '')}")
        elif method == "Network.requestWillBeSent":
            self.asked.add(of["request"]["url"])
        elif method == "Network.responseReceived" and of["response"]["status"] >= 400:
            self.wrong.append(f"{of['response']['status']} for {of['response']['url']}")
        elif method == "Network.loadingFailed" and not of.get("canceled"):
            self.wrong.append(f"not loaded: {of.get('errorText')}")

    def run(self, script):
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            fail(f"{script}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait(self, script, what):
        deadline = time.monotonic() + PATIENCE_S
        while not self.run(script):
            if time.monotonic() > deadline:
                fail(f"{what} did not come: {self.run('document.body.innerText')[:2000]}")
            time.sleep(0.25)

    def press(self, key, shift=False):
        for kind in ("rawKeyDown", "keyUp"):
            code = {"Tab": 9, "Enter": 13}[key]
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code,
                      modifiers=8 if shift else 0)
        if key == "Enter":
            self.call("Input.dispatchKeyEvent", type="char", key=key, text="\r")

    def size(self, name, scheme):
        width, height, scale, mobile = SIZES[name]
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=mobile)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def open(self, page):
        """The page, laid out and quiet."""
        self.run(f"location.hash = {json.dumps(page)}")
        name = {"site": "sites"}.get(word := re.match(r"#(\w+)", page).group(1), word)
        self.wait("document.getElementById('live').textContent === 'live' && document.querySelector('main h1') !== null "
                  f"&& document.querySelector('[data-page={name}][aria-current]') !== null", page)
        time.sleep(0.6)

    def close(self):
        self.socket.close()
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()


def check_figures(figures, page):
    """What is read is the exact figure, to the last digit."""
    for figure in figures:
        unit, text = figure["unit"], figure["text"].replace("\u2212", "-").replace("\u202f", "")
        digits = re.match(r"-?[\d.]+", text).group()
        if unit in PLACES and len(digits.partition(".")[2]) != PLACES[unit]:
            fail(f"{page}: {text!r} has not {PLACES[unit]} places")
        if int(digits.replace(".", "")) != int(figure["exact"]):
            fail(f"{page}: {text!r} is shown for {figure['exact']} {unit}")
    return len(figures)


def check_tree(browser, page):
    """Landmarks, one heading of the first level, and a name for everything that is used or stands for something."""
    nodes = [node for node in browser.call("Accessibility.getFullAXTree")["nodes"] if not node.get("ignored")]
    roles = [node["role"]["value"] for node in nodes if "role" in node]
    for role in ("banner", "navigation", "main", "contentinfo", "status"):
        if roles.count(role) < 1:
            fail(f"{page}: no {role}")
    level = lambda node: next((p["value"]["value"] for p in node.get("properties", []) if p["name"] == "level"), None)
    firsts = [node for node in nodes if node.get("role", {}).get("value") == "heading" and level(node) == 1]
    if len(firsts) != 1:
        fail(f"{page}: {len(firsts)} headings of the first level")
    for node in nodes:
        role = node.get("role", {}).get("value")
        if role in NAMED and not node.get("name", {}).get("value", "").strip():
            fail(f"{page}: a {role} without a name: {json.dumps(node)[:500]}")
    return len(nodes)


def check_axe(browser, page):
    """What axe finds fault with."""
    if not browser.run("typeof axe === 'object'"):
        browser.run(f"{AXE}; 0")
    found = browser.run("""axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] }).then((found) =>
      [found.passes.length, found.violations.map((one) => [one.id, one.help, one.nodes.slice(0, 3).map((node) =>
        [node.html.slice(0, 200), node.failureSummary])])])""")
    if found[1]:
        fail(f"{page}: axe says {json.dumps(found[1], indent=1)[:3000]}")
    return found[0]


def check_keyboard(browser, page):
    """Tab comes to everything that can be used, and shows where it is. The interval is held, so that parts do not come and go."""
    choose(browser, "chosen[Math.min(2, chosen.length - 1)]")
    browser.run("document.activeElement.blur(); window.getSelection().removeAllRanges(); window.scrollTo(0, 0)")
    browser.run("window.tabbed = new WeakSet(); 0")
    stops, seen, rounds = browser.run(STOPS), 0, 0
    for _ in range(stops * 2 + 20):
        browser.press("Tab")
        at = browser.run(FOCUS)
        # Tab begins where the focus was last, and comes by the browser's own parts once around.
        rounds += at is None
        if rounds == 3:
            break
        if at and not at[1]:
            fail(f"{page}: {at} has the focus and does not show it")
        seen += at is not None
    left = browser.run("[...document.querySelectorAll('a[href], button, select, input, summary, [tabindex=\"0\"]')].filter("
                       "(one) => !one.disabled && one.checkVisibility() && !window.tabbed.has(one) && "
                       "!(one.type === 'radio' && !one.checked)).map((one) => one.outerHTML.slice(0, 200))")
    return seen, left


def choose(browser, which):
    """An interval of those there are, or the latest; where the page shows one."""
    browser.run("(() => { const at = document.querySelector('#interval'); if (!at) return;"
                "const chosen = [...at.options].map((one) => one.value).filter(Boolean);"
                f"at.value = {which}; at.dispatchEvent(new Event('change', {{ bubbles: true }})); }})()")
    time.sleep(1)


def check_diagram(browser, page):
    """Every text of the feeder's diagram lies within the drawing, is whole, and lies on no other bus's."""
    (left, top, right, bottom), texts = browser.run(TEXTS)
    hidden = browser.run("(() => { const region = document.querySelector('main .diagram'); return region.scrollWidth - region.clientWidth; })()")
    if hidden > 0:
        fail(f"{page}: {hidden} pixels of the diagram are hidden at its side")
    names = browser.run("fetch('data/market').then((answer) => answer.json()).then((market) => market.buses.map((one) => one.bus))")
    for text, _, box in texts:
        if box[0] < left or box[1] < top or box[2] > right or box[3] > bottom:
            fail(f"{page}: {text!r} at {box} lies outside the drawing at {[left, top, right, bottom]}")
        if "\u2026" in text:
            fail(f"{page}: {text!r} is cut")
    for (one, of, a), (other, by, b) in itertools.combinations(texts, 2):
        if (of or by) and of != by and a[0] < b[2] and b[0] < a[2] and a[1] + 1 < b[3] and b[1] + 1 < a[3]:
            fail(f"{page}: {one!r} at {a} lies on {other!r} at {b}")
    shown = {bus for _, bus, _ in texts if bus}
    if shown != set(names):
        fail(f"{page}: {set(names) - shown} have no texts")
    return len(texts)


def check_page(browser, page, size):
    browser.open(page)
    if page.startswith("#feeder"):
        check_diagram(browser, f"{size} {page}")
    wide = browser.run("[document.documentElement.scrollWidth, window.innerWidth]")
    if wide[0] > wide[1]:
        fail(f"{size} {page}: {wide[0]} pixels wide in a window of {wide[1]}")
    nodes = check_tree(browser, f"{size} {page}")
    rules = check_axe(browser, f"{size} {page}")
    figures = check_figures(browser.run(FIGURES), f"{size} {page}")
    seen, left = check_keyboard(browser, f"{size} {page}")
    if left:
        # The page may have changed while Tab went through it.
        seen, left = check_keyboard(browser, f"{size} {page}")
    if left:
        fail(f"{size} {page}: Tab does not come to {left[:3]}")
    choose(browser, "''")
    print(f"{size:8} {page:28} {nodes:5} nodes, {rules:3} rules of axe, {figures:4} figures, {seen:4} stops of Tab", flush=True)


def cells(browser, table):
    """A table's rows: exact figures where cells hold them, and text elsewhere."""
    return browser.run(f"""[...document.querySelectorAll('#{table} tbody tr')].map((row) => [...row.cells].map((cell) =>
      cell.querySelector('[data-exact]')?.dataset.exact ?? cell.textContent))""")


def read(browser):
    """What the pages say, for whoever holds it against the ledger."""
    browser.open("#delivery")
    chosen = browser.run("[...document.querySelector('#interval').options].map((one) => one.value).filter(Boolean)")
    # The latest but two: settled by everybody.
    start = chosen[min(2, len(chosen) - 1)]
    browser.run(f"(() => {{ const at = document.querySelector('#interval'); at.value = {json.dumps(start)};"
                "at.dispatchEvent(new Event('change', { bubbles: true })); })()")
    browser.wait("document.querySelectorAll('#site-rows tbody tr').length > 0", "sites' rows")
    time.sleep(1)
    found = {"start": start, "sites": cells(browser, "site-rows")}
    browser.open("#feeder")
    browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found["buses"], found["lines"] = cells(browser, "buses"), cells(browser, "lines")
    browser.run("document.querySelectorAll('details').forEach((one) => { one.open = false; })")
    browser.open("#ledger")
    found["validators"] = cells(browser, "validators")
    found["blocks"] = browser.run("""[...document.querySelectorAll('#blocks tbody tr')].map((row) =>
      [row.cells[0].textContent, row.querySelector('code').title])""")
    browser.open(f"#site/{found['sites'][0][0]}")
    browser.wait("document.querySelectorAll('#settled tbody tr').length > 0", "a site's rows")
    found["site"] = browser.run("""[...document.querySelectorAll('#settled tbody tr')].map((row) =>
      [row.querySelector('time').dateTime, ...[...row.cells].slice(1).map((cell) =>
        cell.querySelector('[data-exact]')?.dataset.exact ?? cell.textContent)])""")
    return found


def nothing_wrong(browser):
    """Nothing was asked of others, and the browser's log is empty."""
    foreign = [url for url in browser.asked if not url.startswith(ADDRESS) and url != "about:blank"]
    if foreign:
        fail(f"asked elsewhere: {foreign}")
    if browser.wrong:
        fail("in the browser's log: " + "; ".join(browser.wrong[:5]))
    print(f"{len(browser.asked)} addresses asked, all here; nothing in the browser's log")


def look_at_diagram():
    """The diagram at every size, coloured by either."""
    browser = Browser()
    try:
        browser.size("desktop", "light")
        browser.call("Page.navigate", url=ADDRESS)
        browser.wait("document.querySelectorAll('#interval option').length > 1", "an interval")
        for size in SIZES:
            browser.size(size, "light")
            browser.open("#feeder")
            for by in ("voltage", "price"):
                browser.run(f"document.getElementById('by-{by}').click()")
                time.sleep(0.6)
                print(f"{size:13} by {by:7} {check_diagram(browser, size):4} texts of the diagram, all whole", flush=True)
    finally:
        browser.close()
    nothing_wrong(browser)


def main():
    browser = Browser()
    try:
        browser.size("desktop", "light")
        browser.call("Page.navigate", url=ADDRESS)
        browser.wait("document.querySelectorAll('#interval option').length > 5", "five intervals")
        browser.open("#ledger")
        browser.wait(f"document.querySelector('[role=alert]')?.textContent.includes({json.dumps(MISSING)})", f"that {MISSING} is missing")
        found = read(browser)
        sites = browser.run("fetch('data/market').then((answer) => answer.json()).then((market) => market.sites.length)")
        site = found["sites"][0][0]
        for (size, scheme) in (("desktop", "light"), ("phone", "dark")):
            browser.size(size, scheme)
            browser.call("Page.navigate", url="about:blank")
            browser.call("Page.navigate", url=ADDRESS)
            browser.wait("document.querySelectorAll('#interval option').length > 1", "intervals")
            paint = browser.run("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null")
            print(f"{size:8} first contentful paint after {paint and round(paint)} ms, with {sites} sites", flush=True)
            found[f"{size}_first_paint_ms"] = paint
            bus = browser.run("fetch('data/market').then((answer) => answer.json()).then((market) => market.buses[3].bus)")
            for page in ("#feeder", f"#feeder?bus={urllib.request.quote(bus)}", "#curves", "#delivery", "#ledger", "#sites",
                         f"#site/{site}", "#token"):
                check_page(browser, page, size)
        height = int(browser.run("document.getElementById('height').textContent"))
        browser.wait(f"Number(document.getElementById('height').textContent) > {height}", "a further block")
        found["sites_in_market"] = sites
    finally:
        browser.close()
    nothing_wrong(browser)
    pathlib.Path(RESULT).write_text(json.dumps(found))


main() if RESULT else look_at_diagram()
