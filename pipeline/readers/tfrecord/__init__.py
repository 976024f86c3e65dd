"""Reads the records of TFRecord files, and the columns of the tf.train.Examples in them."""
