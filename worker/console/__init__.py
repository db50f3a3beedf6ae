"""The console: the web page of the service. It comes with "Operate it"; nothing lives here yet."""
