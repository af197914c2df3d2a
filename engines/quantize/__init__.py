"""Networks in INT8 and FP8: OpenVINO's by NNCF (``calibrate``, ``nncf``), those of ``compile`` by torchao."""
