"""Ketamine and esketamine: routes, concentration, effect, forecast. Knows no patient and no session."""
