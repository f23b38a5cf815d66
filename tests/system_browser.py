"""The system's Chromium, and what it is started with in every browser test."""

from __future__ import annotations

from pathlib import Path

CHROMIUM = next(
    (path for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(path).exists()), "/usr/bin/chromium"
)
# Each new context otherwise renders the pages of Chromium's own address bar, which costs more than most of ours (a
# second of processor time each). The switch takes the place of the driver's, so what matters of that stands here too.
_WITHOUT = (
    "WebUIOmniboxPopup,WebUIOmniboxAimPopup,"
    "DestroyProfileOnBrowserClose,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,PaintHolding,MediaRouter,"
    "OptimizationHints,NetworkTimeServiceQuerying,ThirdPartyStoragePartitioning"
)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    f"--disable-features={_WITHOUT}",
]
