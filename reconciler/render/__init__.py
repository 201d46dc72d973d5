"""Renderers: each a pure function of a Plan or of Results. They decide nothing and do no I/O."""
