"""Scripts that make what ships as data: tables, the meaning models and their calibration. Not used at run time.

The models need the extra ``[train]`` (torch, onnx, onnxruntime, safetensors, tokenizers). Order: ``biencoder``,
``verifier``, again ``verifier`` with mined negatives, ``export`` for each, ``evaluate``. Every command takes its data
and its output as arguments and its random numbers from ``--seed``.
"""
