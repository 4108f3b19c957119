/** A worker that ends before it says hello. */
process.stderr.write('cannot find a shared library\n')
