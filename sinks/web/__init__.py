"""The page, the profile API and the panels they share with Grafana."""
