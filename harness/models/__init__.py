"""Model families: `xvlm`; and `weights`, which reads the weight files of any of them safely."""
