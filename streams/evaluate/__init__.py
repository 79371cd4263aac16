"""`huitou evaluate`: the live product's own models, judged on a shop's own history."""
