"""TFRecord: records of a file, and the columns of the tf.train.Examples in them."""
