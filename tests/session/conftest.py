"""Makes the builders of `logs.py` importable as `session_logs`."""

import importlib.util
import sys
from pathlib import Path

if "session_logs" not in sys.modules:
    spec = importlib.util.spec_from_file_location("session_logs", Path(__file__).parent / "logs.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["session_logs"] = module
    spec.loader.exec_module(module)
