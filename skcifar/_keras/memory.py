"""What TensorFlow and Keras would keep of every model that was trained, and how to free it."""

from contextlib import suppress


def on_one_device(optimizer):
    """Return `optimizer`, whose steps no longer ask other devices for their gradients.

    There are none; but the question is a `tf.custom_gradient`, of which TensorFlow keeps a global
    registry: each traced step would stay in memory for good, 7 MB of a head, 45 to 120 MB of a
    network. A Keras that calls it something else asks again, and works.
    """
    if hasattr(optimizer, "_all_reduce_sum_gradients"):
        optimizer._all_reduce_sum_gradients = lambda gradients: gradients
    return optimizer


def forget_compiled_steps():
    """Free what TensorFlow keeps of every function that ran: 3 to 11 MB a step, for good.

    What is still needed is made again when it runs. `keras.utils.clear_session` does this too.
    """
    with suppress(ImportError, AttributeError):  # no public name leads there
        from tensorflow.python.eager import context

        context.context().clear_kernel_cache()
