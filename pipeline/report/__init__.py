"""The files of a finished run, each as bytes, and the tables that the terminal shows."""
