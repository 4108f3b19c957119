import t from 'tap'
import { LoanPool, type Loan } from '../../../lib/upstream/loans.ts'

const SIZE = 1000

/** A loan of a whole buffer, its bytes, and whether it is over. */
function lent (length = SIZE): { loan: Loan, bytes: Buffer, isOver: () => boolean } {
  const pool = new LoanPool(SIZE)
  const bytes = pool.lend(pool.take(SIZE) as Buffer, length)
  return { loan: pool.loanOf(bytes) as Loan, bytes, isOver: () => pool.bytes.free === SIZE }
}

t.test('a loan is over when every byte was given back, in whatever order', t => {
  const { loan, bytes, isOver } = lent()
  const pieces = [bytes.subarray(0, 400), bytes.subarray(400, 900), bytes.subarray(900)] as const
  for (const piece of pieces) loan.passTo(piece)
  for (const place of [2, 0, 1] as const) {
    t.notOk(isOver())
    loan.giveBack(pieces[place].length)
  }
  t.ok(isOver())
  t.end()
})

t.test('what stands before, between and after pieces is nobody\'s', t => {
  const { loan, bytes, isOver } = lent(990)
  loan.passTo(bytes.subarray(100, 400))
  loan.giveBack(300)
  loan.passTo(bytes.subarray(410, 900))
  t.notOk(isOver())
  loan.giveBack(490)
  t.notOk(isOver(), 'more may follow')
  loan.passRest()
  t.ok(isOver())
  t.end()
})

t.test('a piece that is still read keeps its buffer, though all else is over', t => {
  const { loan, bytes, isOver } = lent()
  loan.passTo(bytes.subarray(500, 600))
  loan.passRest()
  t.notOk(isOver())
  loan.giveBack(99)
  t.notOk(isOver())
  loan.giveBack(1)
  t.ok(isOver())
  t.end()
})

t.test('what was not passed yet keeps its buffer, though all that was passed came back', t => {
  const { loan, bytes, isOver } = lent()
  loan.passTo(bytes.subarray(0, 600))
  loan.giveBack(600)
  t.notOk(isOver())
  loan.passTo(bytes.subarray(600))
  loan.giveBack(400)
  t.ok(isOver())
  t.end()
})

t.test('a buffer of which more came back than was lent is not used again', t => {
  const { loan, bytes, isOver } = lent()
  loan.passTo(bytes)
  loan.giveBack(600)
  loan.giveBack(600)
  t.notOk(isOver())
  loan.giveBack(SIZE)
  t.notOk(isOver())
  t.end()
})

t.test('a loan that is over knows nothing of the next one of its buffer', t => {
  const pool = new LoanPool(SIZE)
  const first = pool.lend(pool.take(SIZE) as Buffer, 10)
  const over = pool.loanOf(first) as Loan
  over.passTo(first)
  over.giveBack(10)
  const again = pool.take(SIZE) as Buffer
  t.equal(again.buffer, first.buffer)
  const second = pool.lend(again, 20)
  over.giveBack(10)
  over.passRest()
  t.equal(pool.bytes.free, 0)
  pool.loanOf(second)?.passTo(second)
  pool.loanOf(second)?.giveBack(20)
  t.equal(pool.bytes.free, SIZE)
  t.end()
})

t.test('buffers are made up to the limit, of each size its own', t => {
  const pool = new LoanPool(350)
  const [large, small] = [pool.take(200), pool.take(100)] as [Buffer, Buffer]
  t.equal(pool.take(100), undefined)
  t.strictSame(pool.bytes, { free: 0, made: 300 })
  pool.putBack(large)
  pool.putBack(small)
  t.strictSame(pool.bytes, { free: 300, made: 300 })
  t.equal(pool.take(100), small)
  t.equal(pool.take(100), undefined)
  t.equal(pool.take(200), large)
  t.strictSame(pool.bytes, { free: 0, made: 300 })
  t.end()
})

t.test('bytes of no loan have none', t => {
  t.equal(new LoanPool(SIZE).loanOf(Buffer.alloc(SIZE)), undefined)
  t.end()
})
