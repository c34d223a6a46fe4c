/** Steps that follow each other without a further click: they end with the page, and with the account. */
export class Going {
  /** `true` until they shall stop. */
  isOn = $state(false);

  constructor(account: () => string | undefined) {
    $effect(() => {
      account();
      return () => {
        this.isOn = false;
      };
    });
  }
}
