"""Apps in containers: an agent beside the app does what relay and namespace do for an app on this machine."""
