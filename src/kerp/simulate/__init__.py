"""Who presses the buttons when nobody is there."""
