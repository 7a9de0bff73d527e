"""BERT with cross-attention to image tokens: what any ALBEF-like model is made of.

Input:

    preprocessing, resizing     clean texts, normalise and resize images
    tokenizer, basic_tokens     word pieces, and the words they are made of

Networks:

    sizes                       the sizes of a BERT, from its tensors
    layers, bert                the encoder
    language_model, heads       the decoder, task heads
    kv, pair_kv                 keys and values, projected once per image
    encoded_texts, fused_texts  texts for retrieval, texts with their images
    captioning, answer_decoder  generate a text, score answers
    static_decoder              texts generated in buffers of fixed shapes
    gradcam                     maps of what in an image a text is about
    networks                    what the networks of all families have in common

Models (a family's adapters name their texts, network and rules):

    runtime, settings           a network ready to run, `--model-args`
    adapter, loading            what every adapter offers, and which one is loaded
    comparing, answering, describing, judging, locating  one module per capability
    costs, decoding_costs, layer_costs                   operations and bytes
"""
