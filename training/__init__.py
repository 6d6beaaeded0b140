"""How the model of the engine `mini` is made: scenes, text encoder, decoder, layout, painter, checker."""
