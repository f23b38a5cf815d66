"""What makes a page unusable for somebody: what axe finds, and targets too small for a finger."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe

TAGS = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
SMALL = """() => [...document.querySelectorAll('button, a.button, summary')]
  .filter((one) => one.offsetParent && !one.closest('[inert]') && (one.offsetHeight < 55.5 || one.offsetWidth < 55.5))
  .map((one) => `small: ${one.textContent.slice(0, 30)} ${one.offsetWidth}x${one.offsetHeight}`)"""
PAGE_TARGETS = """() => [...document.querySelectorAll('main button, main a.button')]
  .filter((one) => one.offsetParent && one.offsetHeight < 43.5)
  .map((one) => `small: ${one.textContent.slice(0, 30)} ${one.offsetWidth}x${one.offsetHeight}`)"""


def violations(page):
    """What axe finds on the page as it stands, each with the first elements it is about."""
    found = Axe().run(page, options=TAGS).response["violations"]
    return [(one["id"], [node["html"][:160] for node in one["nodes"][:3]]) for one in found]
