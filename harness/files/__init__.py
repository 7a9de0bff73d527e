"""Files of any kind: checked on reading, atomic on writing.

`kinds` recognises a file by its first bytes and decodes its text. `parsing` reads JSON, YAML and
pickles, and checks them against types; `validation_errors` words the refusals, `double_keys`
refuses objects with a key twice. `paths` resolves the cache, the configuration and shipped files;
`atomic` writes; `lock` keeps other processes out.
"""
