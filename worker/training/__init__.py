"""Scripts that make what ships as data: tables, and later the models. Not used at run time."""
