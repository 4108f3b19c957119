import t from 'tap'
import { Negotiator } from '../../../lib/image/negotiator.ts'

const photo = { format: 'jpeg', alpha: false, animated: false } as const

t.test('the best is chosen, and the best of what is made fast', t => {
  const negotiator = new Negotiator(['avif', 'webp'])
  t.equal(negotiator.best('image/avif,image/webp', photo), 'avif')
  t.equal(negotiator.quick('image/avif,image/webp', photo), 'webp')
  t.equal(negotiator.quick('image/avif', photo), 'jpeg')
  t.end()
})

t.test('fields that lead to the same are the same, and there are few, whatever clients send', t => {
  const negotiator = new Negotiator(['avif', 'webp'])
  t.equal(negotiator.choices('image/avif,image/webp,*/*'), negotiator.choices('image/webp, image/avif;q=1.0'))
  t.not(negotiator.choices('image/avif'), negotiator.choices('image/webp'))
  t.equal(negotiator.choices(undefined), negotiator.choices('*/*'))
  const seen = new Set<string>()
  for (let n = 0; n < 3000; n++) {
    const weight = (n % 1000 / 1000).toFixed(3)
    seen.add(negotiator.choices(`image/avif;q=${weight},image/webp;q=${(n % 7) / 10},image/jpeg;q=0.${n % 10},x/${n}${'y'.repeat(n % 400)}`))
  }
  t.ok(seen.size <= 12, `${seen.size} kinds`)
  t.end()
})
