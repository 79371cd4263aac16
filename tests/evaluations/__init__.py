"""Every `huitou evaluate` command on the histories at hand."""
